"""A vision-language model as three ONNX files, in the form that Transformers.js and the ONNX community read.

layout    names of files, and what Transformers.js appends to them for a storage
vision    the picture half of each family
language  token embeddings, and the decoder with its cache going in and out
graph     one module as one file
folder    settings, tokenizer and chat template beside the graphs
sessions  the three files in ONNX Runtime
reading   slots read with them as torch reads them, and how far they are from it
export    all of it, step by step
"""
