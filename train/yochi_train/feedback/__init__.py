"""From what people said of a box's judgements to records and preference pairs, with a sign-off in between.

collect   the log's judgements that people spoke of, whose note and picture are still there
review    the CSV to sign and the page to look at
signoff   the signed CSV, read back and checked against the log
pairs     preference pairs
build     records, pictures and pairs, in a folder that `sft` and `rlaif` read
run       the command
"""
