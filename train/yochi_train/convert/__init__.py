"""Records out of and into the forms of others: LLaVA (DREAM's published one), COCO, Hugging Face, a page."""
