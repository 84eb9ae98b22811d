"""What schemathesis cannot know by itself: whether a failure is a documented answer of the operation."""

import json

import schemathesis


@schemathesis.check
def documented_problem(ctx, response, case):
    """Every problem carries a code that the operation lists for its status, and never that of a defect."""
    # A method that the path does not have is no operation of the document.
    if response.status_code < 400 or response.request.method != case.operation.method.upper():
        return
    try:
        code = json.loads(response.content)["code"]
    except (ValueError, KeyError, TypeError):
        if response.status_code >= 500:
            raise AssertionError(f"{response.status_code} without a problem")
        return
    documented = case.operation.definition.raw["responses"].get(str(response.status_code))
    codes = [] if documented is None else documented["description"].split(", ")
    if code == "core.internal":
        raise AssertionError("core.internal: a defect")
    if code not in codes:
        raise AssertionError(f"{code} ({response.status_code}) is not documented for this operation")
