"""The studio: a web page that does what the command line does. Only `page.py` and what it is made of know Gradio."""
