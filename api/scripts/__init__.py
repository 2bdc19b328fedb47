"""A session as a Python script of its own: readable enough to teach from, and it asserts the session's numbers.

    script                    session, a state of its line to begin with, target → text
      repetition              what is repeated, and to which tolerance
      numpy_script            model by ``formulas`` and ``chain``, which write forward and backward out
      pytorch_script, …       ``model`` alone, of which the library finds the gradients
      rule, rates, steps      the optimiser's lines, the schedule's, the training loop
      rows, sections, checks  data and order, what stands around, what is asserted
    operations, helpers       the table, with a row for each operation and a column for each target
    pieces, names, literals   text that is right in any place: brackets, names, numbers

All of it is text from the objects of ``training`` and ``engine``; nothing here knows a request.
"""
