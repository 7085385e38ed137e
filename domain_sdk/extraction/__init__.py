"""From files of other people to text: formats, layout, recognition, and the child process all of it runs in.

What a file holds becomes Markdown with the pages and speakers it had. Files are hostile until read: parsers run in a process
with a ceiling on memory and time, and talk JSON.
"""
