"""The story: what an agent tries, and what must come of it. Each step is checked as it is told."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import httpx
from msgspec import Struct

from demo.caller import Agent, Outcome, agent
from demo.parts import Stage
from pdp.api.v1 import policy_pb2, policy_pb2_grpc
from tipstaff.cli.configuration.config import load
from tipstaff.common.masking import MASK

PASSWORD = "correct-horse-battery"
NOTE = "Once a day is enough."
DENY_ALL = """\
default: deny

tools:
  policy_generation_start:
    action: deny
    reason: Policy generation is off until the budget is settled.
"""
_US = {"region": "us-east-1"}
_SMALL = {"host_instance_type": "mq.t3.micro", "publicly_accessible": False}


class Row(Struct, frozen=True):
    """One call, or several alike, with what must have come of each."""

    era: str
    note: str
    outcomes: tuple[Outcome, ...]
    effect: str
    code: str
    reaches: bool

    @property
    def is_right(self) -> bool:
        """Whether effect, code, what the agent saw and what arrived are all as they must be."""
        return all(
            (one.effect, one.code, one.reached) == (self.effect, self.code, int(self.reaches))
            and one.is_error is not self.reaches
            and (self.reaches or one.record["decision_id"] in one.text)
            for one in self.outcomes
        )


class Fact(Struct, frozen=True):
    """Something else that must be so."""

    note: str
    is_right: bool


Told = AsyncIterator[Row | Fact]


async def brokers(stage: Stage, era: str) -> Told:
    """An agent with a real message broker service."""
    name = f"demo-{era.replace('-', '')}"
    async with agent(stage, "amazon_mq", era, key="agent-a") as first:
        yield _passed(era, "reading is allowed", await first.call("list_brokers", **_US))
        created = await _create(first, name, **_SMALL)
        yield _passed(era, "a small private one is allowed", created)
        recorded = str(created.record["arguments"])
        secret_is_out = PASSWORD in stage.records.read_text(encoding="utf-8")
        yield Fact("its password is masked in the record", MASK in recorded and not secret_is_out)
        large = await _create(
            first, f"{name}-large", **_SMALL | {"host_instance_type": "mq.m5.4xlarge"}
        )
        yield _refused(era, "a size outside the schema", large, "arguments_invalid")
        broker = {**_US, "BrokerId": await _broker_id(stage, name)}
        ten = [await first.call("describe_broker", **broker) for _ in range(10)]
        yield _passed(era, "ten in a minute are allowed", *ten)
        eleventh = await first.call("describe_broker", **broker)
        yield _refused(era, "the eleventh is not", eleventh, "rate_limited")
        yield Fact(
            "it names the limit and when to come back",
            "amazon_mq/describe_broker" in eleventh.text and "Try again in" in eleventh.text,
        )
        async with agent(stage, "amazon_mq", era, key="agent-b") as second:
            other = await second.call("describe_broker", **broker)
            yield _passed(era, "another session has its own count", other)
        deleted = await first.call("delete_broker", **broker)
        yield _refused(era, "denied, with the reason", deleted, "denied_by_rule")
        yield Fact(
            "AWS still has the broker, and the agent knows why",
            bool(await _broker_id(stage, name)) and "platform team" in deleted.text,
        )
        async for told in _reboots(stage, era, first, broker):
            yield told


async def _reboots(stage: Stage, era: str, caller: Agent, broker: Mapping[str, str]) -> Told:
    """A person decides, at a terminal, while the agent's call waits."""
    waiting = asyncio.ensure_future(caller.call("reboot_broker", **broker))
    held = await _held(stage)
    yield Fact("a reboot waits for a person, and AWS has not seen it", _reboots_seen(stage) == 0)
    await _tipstaff(stage, "approvals", "grant", held, "--yes")
    rebooted = await waiting
    yield Row(era, "granted at the terminal", (rebooted,), "allow", "approved", reaches=True)
    waiting = asyncio.ensure_future(
        caller.call("reboot_broker", **broker | {"region": "us-west-2"})
    )
    held = await _held(stage)
    await _tipstaff(stage, "approvals", "refuse", held, "--yes", "--note", NOTE)
    refused = await waiting
    yield _refused(era, "other arguments: asked anew, refused", refused, "approval_refused")
    yield Fact(
        "AWS saw one reboot, and the agent knows why not two",
        _reboots_seen(stage) == 1 and NOTE in refused.text,
    )
    (stage.folder / "moto.log").write_bytes(b"")


async def _held(stage: Stage) -> str:
    """The one call that waits, once there is one."""
    for _ in range(100):
        calls = json.loads(
            await _tipstaff(stage, "approvals", "list", "--state", "pending", "--json")
        )["calls"]
        if calls:
            return str(calls[0]["id"])
        await asyncio.sleep(0.05)
    raise TimeoutError("no call waits for a person")


async def _tipstaff(stage: Stage, *arguments: str) -> str:
    """The output of a command, as its user would run it; raises when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tipstaff", *arguments, "-c", str(stage.config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    if process.returncode:
        raise RuntimeError(output)
    return output


def _reboots_seen(stage: Stage) -> int:
    """How often the simulated AWS was asked to reboot, by its own log."""
    return (stage.folder / "moto.log").read_text(encoding="utf-8").count("/reboot HTTP")


async def generations(stage: Stage, era: str) -> Told:
    """An agent that runs a foundation model; then the rules change under it."""
    async with agent(stage, "agentcore", era, key="agent-c") as one:
        ten = [await _generate(one, number) for number in range(10)]
        yield _passed(era, "ten in a minute are allowed", *ten)
        yield _refused(era, "the eleventh is not", await _generate(one, 10), "rate_limited")
        await _replace_rules(stage, "agentcore", DENY_ALL)
        late = await _generate(one, 11)
        yield _refused(era, "action: deny, the client still connected", late, "denied_by_rule")
        yield Fact("it is told as a policy violation", late.text.startswith("Policy violation:"))


def _passed(era: str, note: str, *outcomes: Outcome) -> Row:
    return Row(era, note, outcomes, "allow", "allowed", reaches=True)


def _refused(era: str, note: str, outcome: Outcome, code: str) -> Row:
    return Row(era, note, (outcome,), "deny", code, reaches=False)


async def _create(one: Agent, name: str, **wanted: Any) -> Outcome:
    return await one.call(
        "create_broker",
        **_US,
        broker_name=name,
        engine_type="RABBITMQ",
        deployment_mode="SINGLE_INSTANCE",
        username="admin",
        password=PASSWORD,
        **wanted,
    )


async def _generate(one: Agent, number: int) -> Outcome:
    return await one.call(
        "policy_generation_start",
        policy_engine_id="engine-0123456789",
        name=f"generation_{number}",
        content={"rawText": "Allow the support team to read tickets."},
        resource={
            "arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/demo-0123456789"
        },
    )


async def _broker_id(stage: Stage, name: str) -> str:
    """Asks the simulated AWS itself, past the gateway; "" when it has no such broker."""
    async with httpx.AsyncClient(base_url=stage.aws) as aws:
        known = (await aws.get("/moto-api/data.json")).json()
    found = [one["id"] for one in known.get("mq", {}).get("Broker", []) if one["name"] == name]
    return found[0] if found else ""


async def _replace_rules(stage: Stage, server: str, text: str) -> None:
    """Edit the rules, and wait until the decision service says that others decide."""
    asked = policy_pb2.GetStatusRequest()
    async with grpc.aio.insecure_channel(load(stage.config).pdp.listen) as channel:
        policy = policy_pb2_grpc.PolicyServiceStub(channel)
        before = (await policy.GetStatus(asked)).revision
        stage.rules(server).write_text(text, encoding="utf-8")
        for _ in range(200):
            if (await policy.GetStatus(asked)).revision != before:
                return
            await asyncio.sleep(0.05)
    raise TimeoutError("the edited rules did not become active in 10 s")
