"""Rounds of feedback on the slot readout: draw answers, score them, learn from the best against the worst.

assignment   an answer: yes or no for every judged slot, and a verdict
critic       what a critic says of answers: GS and OS
observed     a critic that reads picture and note apart: the frozen model that the run starts from
preference   the best against the worst answer to a prompt
dpo          the loss
grpo         the reward that records verify, and a step on the advantage within a group of answers
lessons      rounds whose steps learn from records instead of pairs
held_out     what a policy reaches on records that no round draws from
rounds       the run
arms         the same start, data, steps and seeds by other means, in one table
"""
