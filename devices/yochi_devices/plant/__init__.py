"""What a plant gets of Yochi: messages that are kept until they arrive, and outputs that only ever say now.

Extra `plant`. Knows nothing of judgements: the runtime makes a `Signal` of each.
"""
