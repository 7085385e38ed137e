"""Answers: what a question is answered with, sentence by sentence, and the checks that every sentence passes.

Pure: passages, rows and models are given, nothing is fetched. Server and SDK share the values of `answer`; `tables` is the seam
to figures: from a question and the tables its asker may read to the queries that compute them.
"""
