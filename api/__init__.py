"""stepgrad: backpropagation one step at a time, over HTTP.

Training is a pure function, ``(definition, state, action) → state``. A session is a definition plus a log of actions,
so the database keeps only what cannot be recomputed, and undo, fork, replay and permalinks follow.

The rooms, and the import rule (each imports only to its right; ``pages`` and ``store`` never each other)::

    cli > app | export > routes > pages | store > documents > scripts | grading > training > engine

    cli.py, settings.py  the command line, and what an operator can set
    app.py               create_app(settings): the only wiring
    export.py            a session's walk, from the store into a folder of pages
    routes/              HTTP in, HTTP out: negotiation, bodies, errors, one handler per call of the contract
    pages/               documents → text: HTML, SVG, DOT, plain text; knows no request
    store/               the only importer of SQLAlchemy: events with frames, one writer with group commit
    documents/           the wire: what a body may say, and the one document that every representation is made from
    scripts/             sessions as Python to take along: NumPy by hand, PyTorch, JAX, TensorFlow
    grading/             worked answers compared with a reference trace
    training/            what a session is: definition, data, phases, runs; no HTTP, no SQL
    engine/              formulas → graphs, forward, backward, optimisers; NumPy and the standard library

One request, ``POST /v1/sessions/{id}/backward``:

    routes.edge      is the host ours? (CORS and security headers on the way out)
    routes.actions   act(): body and control fields → take the session → key, revision, phase
    training         session.backward() → a new Session
    store            append(): compare and swap, committed before the answer leaves
    documents.state  the state as a plain dict
    routes.answering as JSON, text, or 303 to the page, with its ETag
"""
