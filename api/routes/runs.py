"""Many steps in one request: short runs at once, long ones slice by slice in another process, each slice committed.

Other requests are not held up, a reader sees the session as it was before the run, other writes are 409, and the whole
run is one revision and one action for undo. It ends at its goal, at the time budget, where training diverges, or, at
the last committed slice, when the client leaves or the service closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from api.documents import schemas
from api.documents.bodies import RunBody
from api.documents.history import progress
from api.documents.state import to_json
from api.engine.errors import InvalidInput, LimitExceeded
from api.routes.actions import asked, key_of, settled
from api.routes.answering import ACTION_KINDS, answer_action, state_document
from api.routes.endpoint import router
from api.routes.negotiation import Kind, negotiate
from api.routes.operations import EVENT, TEXT, acting, json_of
from api.routes.service import Service, service_of, work_of, work_of_epochs_end
from api.routes.streams import Chunks, Stream, departure, event
from api.store import Key, Stored
from api.training.definition import Definition
from api.training.limits import Limits
from api.training.run import STRETCH_STEPS, Goal, Stretch, advance, arrived, begin
from api.training.session import Phase, Session
from api.training.snapshot import Snapshot

routes = router()

INLINE_SECONDS = 0.01
SLICE_SECONDS = 0.25
INLINE_WORK = 5_000  # primitive operations in one step, up to which steps are tried on the service's own thread
SLICE_WORK = 5_000_000  # … and in one slice, whose time is only looked at every so many steps
INLINE_ARRIVAL = 500_000  # … and in the last stretch, which is done again for the last update
INLINE_LOOK = 50_000  # … and in looking at the rows held out
INLINE_START = 64  # steps to a new session's start that nobody notices


@routes.post(
    "/v1/sessions/{id}/run",
    **acting(
        "run",
        "Many steps",
        body=RunBody,
        example={"epochs": 1, "until": {"loss_below": 0.001}},
        content=json_of(schemas.State, text=TEXT, events=EVENT),
    ),
)
async def run(request: Request) -> Response:
    """Finishes a cycle already begun, then does whole cycles. As an event stream: `progress`, at the end `state`."""
    service = service_of(request)
    kind = negotiate(request, (*ACTION_KINDS, Kind.EVENTS))
    ask = await asked(request, service)
    key = key_of(request, ask, kind)
    async with AsyncExitStack() as held:
        stored = await held.enter_async_context(service.store.writing(request.path_params["id"]))
        going, stored = await settled(
            service, stored, "run", ask, key, lambda now: started(service, now, ask.typed(RunBody), key)
        )
        going = going or Run(service, stored, None, key)
        if kind is Kind.EVENTS:
            replayed = {"Idempotent-Replayed": "true"} if going.replayed else {}
            return Stream(_events(request, going, held.pop_all()), kind, replayed)
        await going.finish(request.receive)
    return await answer_action(request, going.stored, kind, minimal=ask.minimal, replayed=going.replayed)


async def started(service: Service, stored: Stored, body: dict[str, Any], key: Key | None) -> Run:
    """The run that is asked for, with its first commit made: nobody else writes the session from now on."""
    run = Run(service, stored, goal_of(stored.session, body, service.limits), key)
    await run.start()
    return run


def goal_of(session: Session, body: dict[str, Any], limits: Limits) -> Goal:
    """Where a run ends; raises InvalidInput, or LimitExceeded for more steps than one run may do."""
    most = limits.run_steps
    for name, each in (("steps", 1), ("epochs", session.batches_per_epoch)):
        if body.get(name) is not None and body[name] * each > most:
            raise LimitExceeded(f"one run does at most {most:,} steps", most, f"/{name}")
    goal = Goal.of(session.position, body)
    if goal.early is not None:
        goal.early.check(session.definition)
    return goal


class Course:
    """Steps from a session towards a goal, stretch by stretch; ``done`` are those finished."""

    def __init__(self, service: Service, session: Session, goal: Goal) -> None:
        self.service = service
        self.session = session
        self.goal = goal
        self.done: list[Stretch] = []
        self._started = perf_counter()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return perf_counter() - self._started

    def attempt(self) -> str | None:
        """Go at once, on the service's own thread, for a moment: why it stopped, or None if it is not finished."""
        small = work_of(self.session) <= INLINE_WORK and work_of_epochs_end(self.session) <= INLINE_LOOK
        while small and self.seconds < INLINE_SECONDS:
            self._go_on(advance(self.session.definition, self._at(), goal=self.goal, seconds=INLINE_SECONDS))
            if self.done[-1].stopped_by:
                return self.done[-1].stopped_by
        return None

    async def slice(self) -> Stretch:
        """One more stretch, made by another process."""
        left = max(0.0, self.service.limits.run_seconds - self.seconds)
        look = work_of_epochs_end(self.session) // self.session.batches_per_epoch
        stretch = await self.service.workers.call(
            advance,
            self.session.definition,
            self._at(),
            goal=self.goal,
            seconds=min(SLICE_SECONDS, left),
            most=max(1, min(STRETCH_STEPS, SLICE_WORK // (work_of(self.session) + look))),
        )
        self._go_on(stretch)
        return stretch

    def _go_on(self, stretch: Stretch) -> None:
        self.done.append(stretch)
        self.goal = stretch.goal

    async def arrival(self, phase: Phase) -> Session:
        """The session where it is now, in a phase, with its last update computed again."""
        last = next((stretch for stretch in reversed(self.done) if stretch.losses), None)
        if last is None:
            return replace(arrived(self.session, None, phase), last_update=self.session.last_update)
        work = work_of(self.session) * len(last.losses) + work_of_epochs_end(self.session)
        if work <= INLINE_ARRIVAL:
            return arrived(self.session, last, phase)
        return await self.service.workers.call(arrived, self.session, last, phase)

    def _at(self) -> Snapshot:
        return self.done[-1].end if self.done else self.session.snapshot


class Run:
    """A stored session's run: ``stored`` is the session before it and, once ``stretches`` has ended, after it.

    Without a goal it has been run already.
    """

    def __init__(self, service: Service, stored: Stored, goal: Goal | None, key: Key | None) -> None:
        self.service = service
        self.stored = stored
        self.key = key
        self.replayed = goal is None
        self.at_once = False
        self.course = Course(service, stored.session, goal or Goal())

    async def start(self) -> None:
        """Run to the end, if that takes but a moment; else take the session's lease."""
        stopped = self.course.attempt()
        if stopped is None:
            await self.service.store.begin_run(self.stored, self.key)
            return
        session, told, seconds = await self._session(stopped), self._told(stopped), self.course.seconds
        self.stored = await self.service.store.append(
            self.stored, "run", session, seconds=seconds, run=told, stretches=self.course.done, key=self.key
        )
        self.at_once = True

    async def finish(self, receive: Receive) -> None:
        """Go to the end, or until the client leaves."""
        async with departure(receive) as gone:
            async for _ in self.stretches(gone):
                pass

    async def stretches(self, gone: asyncio.Event) -> AsyncGenerator[Stretch, None]:
        """Each stretch as it is committed. Closing the generator ends the run at the last one."""
        if self.replayed:
            return
        store, course, stopped = self.service.store, self.course, None
        if self.at_once:
            yield course.done[-1]
            return
        try:
            for stretch in course.done:
                await store.append_stretch(self.stored, stretch)
                yield stretch
            while stopped is None:
                stretch = await course.slice()
                await store.append_stretch(self.stored, stretch)
                stopped = stretch.stopped_by or self._interruption(gone)
                yield stretch
        except GeneratorExit:
            stopped = stopped or "disconnected"
            raise
        finally:
            stopped = stopped or "interrupted"
            session = await self._session(stopped)
            self.stored = await store.end_run(self.stored, session, self._told(stopped), course.seconds)

    def _interruption(self, gone: asyncio.Event) -> str | None:
        if gone.is_set():
            return "disconnected"
        if self.service.closing.is_set():
            return "interrupted"
        return "budget" if self.course.seconds >= self.service.limits.run_seconds else None

    def _told(self, stopped: str) -> dict[str, Any]:
        told = {"steps_done": sum(len(stretch.losses) for stretch in self.course.done), "stopped_by": stopped}
        early = self.course.goal.early
        return told if early is None else told | {"best": early.told}

    async def _session(self, stopped: str) -> Session:
        """The session after the run: in ``backward`` where it diverged, as it was if no step was done, else ready."""
        if stopped == "diverged":
            return await self.course.arrival(Phase.BACKWARD)
        if not any(stretch.losses for stretch in self.course.done):
            return self.course.session
        return await self.course.arrival(Phase.READY)


def _events(request: Request, going: Run, held: AsyncExitStack) -> Chunks:
    async def pieces(gone: asyncio.Event) -> AsyncGenerator[bytes, None]:
        async with held:
            async for stretch in going.stretches(gone):
                loss = stretch.losses[-1] if stretch.losses else None
                yield event(to_json(progress(stretch.end, loss)), name="progress")
            yield _last_event(request, going.stored)

    return pieces


def _last_event(request: Request, stored: Stored) -> bytes:
    return event(to_json(state_document(request, stored)), name="state", id=stored.revision)


async def begun(service: Service, definition: Definition) -> tuple[Session, list[Stretch]]:
    """A new session where its definition's ``start`` says, and the stretches on the way there.

    Raises LimitExceeded if that is too far for one request, InvalidInput if training diverges before.
    """
    step, limits = definition.document["start"]["step"], service.limits
    if step > limits.run_steps:
        raise LimitExceeded(f"a start is at most at step {limits.run_steps:,}", limits.run_steps, "/start/step")
    session = Session.start(definition)
    if step <= INLINE_START and max(work_of(session), work_of_epochs_end(session)) <= INLINE_WORK:
        return begin(definition)
    course = Course(service, session, Goal(step))
    while (await course.slice()).stopped_by is None:
        if course.seconds >= limits.run_seconds:
            seconds = limits.run_seconds
            raise LimitExceeded(f"the way to the start takes over {seconds:g} seconds", seconds, "/start/step")
    if course.done[-1].stopped_by == "diverged":
        raise InvalidInput("training diverges before the start that is asked for", "/start/step")
    return await course.arrival(Phase(definition.document["start"]["phase"])), course.done
