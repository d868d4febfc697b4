"""The recipes of docs/sending.md for Home Assistant fit what the server answers and what a webhook sends."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jinja2
import yaml

from aggregator.config.loader import load
from aggregator.config.webhook_settings import webhooks_from
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.server import Server
from tests.conftest import REPOSITORY
from tests.support.services import all_services
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.written_stories import full_reader

PAGE = (
    (REPOSITORY / "docs" / "sending.md")
    .read_text(encoding="utf-8")
    .partition("## Home Assistant\n")[2]
)
SENSORS, DAEMON, AUTOMATIONS = map(
    yaml.safe_load,
    re.findall(r"```yaml\n(.*?)```", PAGE.replace("!secret ", ""), re.DOTALL),
)


def test_sensors_find_what_they_show() -> None:
    reader = full_reader()
    server = Server(reader, PublishSettings(port=0), all_services(reader.database))
    with httpx.Client(
        base_url=server.start(), trust_env=False, timeout=PATIENCE_SECONDS
    ) as client:
        stories, health = SENSORS["rest"]
        found = [client.get(urlsplit(one["resource"])._replace(scheme="", netloc="").geturl()).json()
                 for one in (stories, health)]  # fmt: skip
    server.stop()
    (sensor,), (problem,) = stories["sensor"], health["binary_sensor"]
    shown = [
        jinja2.Template(one["value_template"]).render(value_json=value)
        for one, value in (
            (sensor, found[0]),
            (sensor, {"stories": []}),
            (problem, found[1]),
        )
    ]
    first = found[0]["stories"][0]
    assert first["report_count"] >= 2
    assert shown == [first["title"][:250], "None", "False"]
    assert sensor["json_attributes_path"] == "$.stories[0]"
    assert set(sensor["json_attributes"]) <= set(first)


def test_automations_find_what_the_webhook_sends(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(DAEMON))
    (tmp_path / "homeassistant.secret").write_text("whsec_" + "A" * 32)
    (webhook,) = webhooks_from(load(file))
    (automation,) = AUTOMATIONS["automation"]
    (trigger,), (action,) = automation["triggers"], automation["actions"]
    assert webhook.url.endswith("/api/webhook/" + trigger["webhook_id"])
    story = {"title": 'Levee "breaks"', "report_count": 3}
    given = {
        "trigger": {
            "json": {
                "type": "story.report",
                "data": {"story": story, "url": "https://n.example/s"},
            }
        }
    }
    shown = [
        jinja2.Template(action["data"][name]).render(given)
        for name in ("title", "message")
    ]
    assert shown == ['Levee "breaks"', "3 reports: https://n.example/s"]
