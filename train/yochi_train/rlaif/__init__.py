"""Rounds of feedback on the slot readout: draw answers, score them, learn from the best against the worst.

assignment   an answer: yes or no for every judged slot, and a verdict
critic       what a critic says of answers: GS and OS
observed     a critic that reads picture and note apart: the frozen model that the run starts from
preference   the best against the worst answer to a prompt
dpo          the loss
held_out     what a policy reaches on records that no round draws from
rounds       the run
"""
