"""The known hard cases, and what holds for every definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.survey.classify.classify import classify_all
from tipstaff.survey.model import Category, Classification, Mark, Risk

TRADING = ("get_account", "place_order", "get_orders", "get_positions")
STRIPE = ("list_charges", "create_refund", "list_invoices")


def found(
    name: str,
    description: str = "",
    arguments: Sequence[str] = (),
    siblings: Sequence[str] = (),
    **more: Any,
) -> Classification:
    schema = {"type": "object", "properties": {one: {"type": "string"} for one in arguments}}
    own = {"name": name, "description": description, "inputSchema": schema, **more}
    return classify_all([own, *({"name": one} for one in siblings)])[0]


@pytest.mark.parametrize(
    ("name", "description", "arguments", "siblings", "category", "risk"),
    [
        ("d1_database_delete", "Delete a D1 database", ("id",), (), "Destructive", "critical"),
        ("kv_namespace_delete", "", (), (), "Destructive", "critical"),
        ("list_charges", "List charges of a customer", (), STRIPE, "Read", "medium"),
        ("get_refund", "Get a refund by id", (), STRIPE, "Read", "medium"),
        ("create_refund", "Refund a payment", ("amount",), STRIPE, "Financial", "critical"),
        ("close_position", "Closes a position", ("qty",), TRADING, "Financial", "critical"),
        ("cancel_order", "Cancel an order", ("id",), TRADING, "Financial", "high"),
        ("transfer_funds", "Transfer funds", ("amount", "to"), (), "Financial", "critical"),
        ("transfer_sol", "Transfer SOL to a wallet", ("to",), (), "Financial", "critical"),
        ("make_call", "Make an outbound phone call", ("to",), (), "Execute", "high"),
        ("resolve-library-id", "Resolves a package name to an ID", (), (), "Read", "low"),
        ("query", "Run a read-only SQL query", ("sql",), (), "Read", "medium"),
        ("run_sql", "Execute a single SQL statement", ("sql",), (), "Execute", "critical"),
        ("execute_query", "Execute SQL. Read-only (default) or read-write.", ("sql",), (), "Execute", "critical"),
        ("create_item", "Create an item", ("code",), (), "Write", "medium"),
        ("uninstall_helm_chart", "Uninstall a Helm chart", (), (), "Destructive", "critical"),
        ("write_query", "Run an INSERT, UPDATE, or DELETE query", ("query",), (), "Destructive", "critical"),
        ("get_secret_value", "Retrieves the secret value", ("id",), (), "Read", "medium"),
        ("create_access_key", "Create a new access key", ("user",), (), "Write", "critical"),
        ("deploy_serverless_app_help", "Provides instructions on how to deploy", (), (), "Read", "low"),
        ("bash", "Run commands in a bash shell", ("command",), (), "Execute", "critical"),
        ("python", "", ("code",), (), "Execute", "critical"),
        ("send-email", "Send an email", ("to", "text"), (), "Execute", "high"),
        ("add_user_to_group", "Add a user to a group", (), ("create_role", "put_role_policy"), "Write", "high"),
        ("remove-contact-from-segment", "Remove a contact from a segment", (), (), "Write", "medium"),
        ("remove-contact", "Remove a contact", (), (), "Destructive", "critical"),
        ("delete_label", "Delete a label", (), (), "Destructive", "medium"),
        ("fetch", "Fetches a URL from the internet", ("url",), (), "Read", "medium"),
        ("create_issue", "Create an issue", ("title",), (), "Write", "medium"),
        ("create_cluster", "Create a cluster", ("name",), (), "Write", "high"),
        ("reboot_broker", "Execute the AWS `reboot_broker` operation.", (), (), "Execute", "high"),
        ("handle_dialog", "Accepts or dismisses a dialog", ("accept",), (), "Execute", "medium"),
        ("lighthouse_audit", "Run a Lighthouse audit of the page", (), (), "Execute", "medium"),
        ("browser_close", "Close the page", (), (), "Execute", "low"),
        ("browser_cookie_list", "List all cookies", (), (), "Read", "medium"),
        ("get_network_request", "Returns the headers and body of a request", (), (), "Read", "medium"),
        ("list_variables", "List the CI variables of a project", (), (), "Read", "medium"),
        ("get_config", "Get the complete server configuration", (), (), "Read", "medium"),
        ("set_config_value", "Set a configuration value by key", ("key", "value"), (), "Write", "high"),
        ("create_pipeline", "Create a new pipeline for a branch", ("ref",), (), "Execute", "high"),
        ("create_run", "Create an evaluation run", (), (), "Execute", "medium"),
        ("protect_branch", "Protect a repository branch", (), (), "Write", "high"),
        ("add_delegate", "Adds a delegate to the account", (), (), "Write", "high"),
        ("create_forwarding_address", "Creates a forwarding address", (), (), "Write", "high"),
        ("create_user", "Create a new user", ("name",), (), "Write", "high"),
        ("tavily_extract", "Extract content from URLs", ("urls",), (), "Read", "medium"),
        ("http_patch", "Perform an HTTP PATCH request", ("url", "value"), (), "Execute", "high"),
        ("create_currency", "Create a currency", ("code",), (), "Write", "medium"),
        ("list_currencies", "List all currencies", (), (), "Read", "low"),
        ("delete-timesheet", "Delete a payroll timesheet", ("id",), (), "Financial", "high"),
        ("create-payment", "Records a payment against an invoice", (), ("list_invoices", "create_invoice"), "Financial", "high"),
    ],
)  # fmt: skip
def test_a_hard_case_comes_out_right(
    name: str,
    description: str,
    arguments: Sequence[str],
    siblings: Sequence[str],
    category: str,
    risk: str,
) -> None:
    """Alarming names of harmless tools, and harmless names of the others."""
    one = found(name, description, arguments, siblings)
    assert (one.category, one.risk) == (category, risk), one.rationale


ARGO = ("list_applications", "get_application", "sync_application")
MAIL = ("list_emails", "send_email", "delete_emails", "get_mailbox")


@pytest.mark.parametrize(
    ("name", "description", "arguments", "siblings", "category", "risk"),
    [
        # What lets an agent through when it is rated too low.
        ("set_item_config", "Set specific item config", ("fullname", "config_xml"), (), "Write", "critical"),
        ("set_config_value", "Set a value: blockedCommands, defaultShell", ("key", "value"), (), "Write", "critical"),
        ("delete_notes", "Delete all notes of a topic for good.", ("topic",), (), "Destructive", "high"),
        ("build_item", "Build an item in Jenkins", ("fullname",), (), "Execute", "high"),
        ("graph-batch", "Combine up to 20 requests into a single HTTP call. Body: { requests: [{ method: 'GET'|'DELETE', url }] }", ("body",), (), "Destructive", "critical"),
        ("list_emails_metadata", "List email metadata", (), MAIL, "Read", "medium"),
        ("get_attachment_content", "Read one email attachment", ("name",), MAIL, "Read", "medium"),
        ("mark_emails_as_read", "Mark one or more emails as read by email_id.", ("ids",), MAIL, "Write", "medium"),
        ("crm-search-objects", "Searches across CRM object types", ("query",), (), "Read", "medium"),
        ("update-many", "Updates all documents that match the filter", ("filter",), (), "Write", "high"),
        ("create_application", "Creates a new Argo CD application", ("application",), ARGO, "Write", "high"),
        ("update_application", "Updates application", ("argocdBaseUrl",), ARGO, "Write", "high"),
        ("merge_merge_request", "Merge a merge request", ("id",), (), "Write", "high"),
        ("approve_pull_request", "Approve a pull request", ("id",), (), "Write", "high"),
        ("create-subscription", "Subscribes a listener to receive change notifications", ("body",), (), "Write", "high"),
        ("update-mailbox-settings", "Configure automatic replies", ("body",), MAIL, "Write", "high"),
        ("mute_host", "Mute a host", ("hostname",), (), "Write", "high"),
        ("schedule_downtime", "Schedule a downtime", ("scope",), (), "Write", "high"),
        ("restore_backup", "Restore a VM from a backup file", ("vmid",), (), "Write", "high"),
        ("create_template", "Convert a VM into a template. IRREVERSIBLE.", ("vmid",), (), "Write", "high"),
        ("git_push", "Push changes to a remote repository", ("remote", "force"), (), "Write", "high"),
        ("git_rebase", "Rebase commits onto another branch", ("onto",), (), "Write", "high"),
        ("push_flex_message", "Push a flex message to a user", ("userId",), (), "Execute", "high"),
        ("im_v1_message_create", "[Lark]-Messaging-Send message-Call this interface to send a message to a specified user", ("data",), (), "Execute", "high"),
        ("export", "Export query results in a format", (), (), "Read", "medium"),
        ("get_table_sample", "Fetch a sample of rows from a table", (), (), "Read", "medium"),
        ("all_api_read", "Execute read-only GraphQL queries", ("query",), (), "Read", "medium"),
        ("aggregate", "Aggregate documents of a collection", ("pipeline",), (), "Read", "medium"),
        # What costs an approval for nothing when it is rated too high.
        ("unassign-current-user", "Remove current user as story owner.", (), (), "Write", "medium"),
        ("stories-remove-subtask", "Remove sub-task from parent", (), (), "Write", "medium"),
        ("remove_project_from_task", "Remove a task from a project. It will still exist.", (), (), "Write", "medium"),
        ("cancel_downtime", "Cancel a scheduled downtime", ("id",), (), "Write", "medium"),
        ("terminate_app", "Terminate an app on mobile device", (), (), "Execute", "medium"),
        ("create-draft-email", "Create a draft email. To send the message, use send-draft.", (), MAIL, "Write", "medium"),
        ("union_tool", "Merge two polygons. Works offline.", ("polygons",), (), "Read", "low"),
        ("within_polygon_tool", "Test points against a polygon. Works offline.", ("points",), (), "Read", "low"),
        ("reverse_geocode", "Convert coordinates into an address", ("latitude",), (), "Read", "low"),
        ("document_rawContent", "[Lark]-Docs-Document-Obtain the text content of the document", (), (), "Read", "medium"),
        ("whoami", "Get the user, while missing credentials are reported.", (), (), "Read", "low"),
    ],
)  # fmt: skip
def test_a_tool_of_a_real_server_comes_out_right(
    name: str,
    description: str,
    arguments: Sequence[str],
    siblings: Sequence[str],
    category: str,
    risk: str,
) -> None:
    """What a registration of 36 servers showed to be rated wrongly."""
    rating = found(name, description, arguments, siblings)
    assert (rating.category, rating.risk) == (category, risk), rating.rationale


@pytest.mark.parametrize(
    ("name", "description", "arguments", "siblings", "mark"),
    [
        ("get-env", "Returns all environment variables", (), (), Mark.SECRETS_OUT),
        ("get_item_config", "Get specific item config", (), (), Mark.SECRETS_OUT),
        ("get-download-url", "Resolve a pre-authenticated URL", (), (), Mark.SECRETS_OUT),
        ("crm-list-objects", "Retrieves a list of CRM objects", (), (), Mark.PERSONAL),
        ("list_emails_metadata", "List email metadata", (), (), Mark.PERSONAL),
        ("get_attachment", "Read one attachment", (), MAIL, Mark.PERSONAL),
        ("crm-get-engagement", "Retrieves an engagement by id", (), (), Mark.PERSONAL),
        ("list_users_and_teams", "Tool to fetch users and/or teams", (), (), Mark.PERSONAL),
        ("update-many", "Updates all documents that match", (), (), Mark.BULK),
        ("create-objects", "Creates multiple objects in a single API call", (), (), Mark.BULK),
        ("connect", "Connect to an instance", ("connectionString",), (), Mark.SECRETS_IN),
    ],
)
def test_a_mark_of_a_real_server_is_found(
    name: str, description: str, arguments: Sequence[str], siblings: Sequence[str], mark: Mark
) -> None:
    """The starter rules set a limit by it."""
    assert mark in found(name, description, arguments, siblings).marks


@pytest.mark.parametrize(
    ("name", "description", "category"),
    [
        ("update_record", "Update a record. Works offline.", "Write"),
        ("delete_record", "Delete a record. Works offline.", "Destructive"),
        ("remove_branch", "Remove a branch if it still exists.", "Destructive"),
        ("remove_file", "Remove a file from the parent folder.", "Destructive"),
    ],
)
def test_words_that_excuse_a_kind_do_not_excuse_others(
    name: str, description: str, category: str
) -> None:
    """What is computed offline, and what is taken off and still exists."""
    assert found(name, description).category == category


def test_verdicts_that_only_the_text_lists_are_no_commands() -> None:
    """A rule that drops packets can be taken back; who gets through is still high."""
    text = "Add a firewall rule.\n\nArgs:\n  action: Rule action: 'ACCEPT', 'DROP', or 'REJECT'."
    rating = found("add_firewall_rule", text, ("action",))
    assert (rating.category, rating.risk) == (Category.WRITE, Risk.HIGH), rating.rationale


@pytest.mark.parametrize(
    ("name", "argument", "choices", "category"),
    [
        ("list_todos", "action", ["assigned", "build_failed"], "Read"),
        ("list_things", "action", ["assigned", "delete"], "Destructive"),
        ("todos", "action", ["assigned", "deleted"], "Destructive"),
        ("add_firewall_rule", "action", ["ACCEPT", "DROP", "REJECT"], "Write"),
        ("add_table", "action", ["drop"], "Destructive"),
        ("git_rebase", "mode", ["start", "continue", "abort", "skip"], "Write"),
    ],
)
def test_choices_count_where_they_are_commands(
    name: str, argument: str, choices: list[str], category: str
) -> None:
    """Not filters, verdicts on packets, or the steps of one operation."""
    schema = {"properties": {argument: {"enum": choices}}}
    assert classify_all([{"name": name, "inputSchema": schema}])[0].category == category


def test_a_generation_that_is_started_names_its_verb_and_its_company() -> None:
    """The verb stands at the end, and the siblings tell what it is about."""
    siblings = ("policy_generation_get", "policy_generation_list", "policy_create", "policy_delete")
    one = found("policy_generation_start", "Start a policy generation.", ("id",), siblings)
    assert (one.category, one.risk) == (Category.EXECUTE, Risk.HIGH)
    assert '"start"' in one.rationale
    assert '4 other tools about "policy"' in one.rationale


def test_an_action_that_can_be_chosen_counts_as_the_tool() -> None:
    """The worst that is documented."""
    schema = {"properties": {"action": {"enum": ["list", "create", "delete"]}}}
    one = classify_all([{"name": "env_vars", "description": "Env vars.", "inputSchema": schema}])[0]
    assert one.category is Category.DESTRUCTIVE
    assert 'offer "action: delete"' in one.rationale


def test_a_missing_description_makes_less_sure() -> None:
    """A name alone may mislead."""
    assert found("delete_broker").confidence < found("delete_broker", "Deletes it.").confidence


def test_a_verb_of_the_name_alone_makes_nobody_sure() -> None:
    """Something else about this tool must say so too."""
    assert found("list_things", "Things of all kinds.").confidence <= 0.8
    assert found("compute", "Compute operations").confidence <= 0.8
    assert found("list_things", "Lists things.").confidence > 0.8


def test_a_tool_that_says_nothing_is_taken_for_a_change() -> None:
    """Absence never means harmless, and the rationale says that it is a guess."""
    one = found("foo")
    assert (one.category, one.risk) == (Category.WRITE, Risk.MEDIUM)
    assert one.confidence < 0.3
    assert "nothing says what it does" in one.rationale


def test_a_claim_never_lowers_what_the_text_says() -> None:
    """`readOnlyHint: true` on a deletion is a lie, or a slip."""
    claims = {"readOnlyHint": True, "destructiveHint": False}
    assert found("delete_all", "Deletes it.", annotations=claims).category is Category.DESTRUCTIVE


def test_a_claim_decides_where_the_text_does_not() -> None:
    """And raises what only seems to read."""
    assert found("dns_zones", "DNS zones", annotations={"readOnlyHint": True}).category == "Read"
    assert found("get_it", "Gets it.", annotations={"readOnlyHint": False}).category == "Write"


def test_marks_tell_what_arguments_and_answers_hold() -> None:
    """Beside the category."""
    assert Mark.FREE_CODE in found("run", "Run code", ("code",)).marks
    assert Mark.FREE_CODE not in found("create_item", "Create an item", ("code",)).marks
    assert Mark.FREE_URL in found("fetch", "Fetch a page", ("url",)).marks
    assert Mark.SECRETS_IN in found("login", "Log in", ("password",)).marks
    assert Mark.SECRETS_OUT in found("get_x", "Returns the private key.").marks
    assert Mark.OPEN_WORLD in found("x", annotations={"openWorldHint": True}).marks
    assert Mark.GRANTS_ACCESS in found("attach_role_policy", "Attach a policy").marks


def test_what_is_said_is_quoted_as_evidence() -> None:
    """Field, words and what they mean, the loudest first."""
    first = found("delete_broker", "Deletes a broker.").evidence[0]
    assert (first.field, first.says) == ("name", "Destructive: delete")


_TEXTS = st.text(max_size=40) | st.sampled_from(["delete it", "Get a list.", "Manage: 'remove'"])
_SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "enum", "action", "items", "anyOf"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries({"name": _TEXTS}, optional={
    "description": _SCHEMAS, "title": _SCHEMAS, "inputSchema": _SCHEMAS, "annotations": _SCHEMAS,
}), max_size=4))  # fmt: skip
def test_any_definition_is_classified_the_same_way_twice(tools: list[dict[str, Any]]) -> None:
    """Whatever a server may list, and with the confidence in its bounds."""
    once = classify_all(tools)
    assert once == classify_all(tools)
    assert all(0 <= one.confidence <= 1 for one in once)


# Words of which names are made that have beginnings in common, and that say what a server is about.
_NAMES = st.lists(
    st.sampled_from(
        "get list create delete checkout switch update navigate send run export order payment "
        "invoice timesheet user event account broker cluster role policy tab page note".split()
    ),
    min_size=1,
    max_size=3,
).map("_".join)
_TOOLS = st.builds(
    lambda name, text: {"name": name, "description": text},
    _NAMES,
    st.sampled_from(
        [
            "",
            "Switches branches.",
            "Delete it.",
            "List events.",
            "Creates a payment.",
            "Get a user.",
        ]
    ),
)


@given(st.lists(_TOOLS, min_size=2, max_size=8))
def test_siblings_never_lower_a_category_or_a_risk(tools: list[dict[str, Any]]) -> None:
    """A server could list harmless tools so that a dangerous one passes for less than it is."""
    categories, risks = list(Category), list(Risk)
    for tool, among_them in zip(tools, classify_all(tools), strict=True):
        alone = classify_all([tool])[0]
        assert categories.index(among_them.category) >= categories.index(alone.category)
        assert risks.index(among_them.risk) >= risks.index(alone.risk)


def test_siblings_can_raise_what_a_word_means() -> None:
    """A position is closed at a broker, and in a list of open jobs."""
    assert found("close_position", "Closes it").category is Category.WRITE
    assert found("close_position", "Closes it", (), TRADING).category is Category.FINANCIAL
