"""Stock GGUF and mmproj: a vision-language model as llama-server, LM Studio and Ollama run it.

converter  upstream's converter, from the source archive of the llama-cpp-python that is installed
traps      what upstream cannot convert or run, known before the long work
staging    the checkpoint as the converter wants to find it
folder     the folder that comes out, and the steps to it
parity     the folder against torch, stage by stage
"""
