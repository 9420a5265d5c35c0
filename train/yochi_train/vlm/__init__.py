"""Any vision-language model of transformers as a judge: its slots are read as yochi-nano's are.

family     what has to be known of an architecture; one file each in `families`
hub        model, tokenizer, image processor and chat template, by hub id or folder
chat       the chat template around picture, note and slots
reading    a picture shown once, its notes read after it
slots      all of it for a policy
merge      LoRA put into the weights: an ordinary folder of the hub's kind
"""
