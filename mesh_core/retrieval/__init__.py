"""What makes a question find its passages: words it implies, the documents it names, and the order of what was found.

Pure: knows labels, ranks and words, no store and no policy. It only ever sees passages that the reader may read.
"""
