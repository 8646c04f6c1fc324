"""A server on loopback with ComfyUI's interface: queue, history, view, object_info; what goes wrong at real ones."""

import json
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from divergen_gen import ComfyUIConfig
from divergen_gen.cli import main
from divergen_gen.testing import check_generator, planned_record
from divergen_records import ConfigError, PromptRecord
from divergen_records.endpoint import EndpointError
from divergen_records.endpoint.testing import Loopback
from divergen_records.images import read_image
from divergen_records.requirements import look, requirements_of

WORKFLOW = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 815, "steps": 4, "positive": ["6", 0], "negative": ["7", 0]},
        "_meta": {"title": "KSampler"},
    },
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "{prompt}, one {category}", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry, text", "clip": ["4", 1]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
}


class ComfyUI(Loopback):
    """Runs a workflow as soon as its outcome is asked for; a picture's colour and place follow from its seed."""

    def __init__(self, *, fails=None, refuses=None, outputs=None, batch=1, stuck=False, forgets=0, alpha=True):
        super().__init__(self.post, self.get)
        self.url = self.url.removesuffix("/v1")
        self.fails, self.refuses, self.batch, self.stuck, self.alpha = fails, refuses, batch, stuck, alpha
        self.outputs = outputs or {"9": "output"}
        self.forgets, self.workflows, self.deleted = forgets, {}, []

    def post(self, exchange):
        if exchange.path == "/queue":
            self.deleted += exchange.body["delete"]
            exchange.send(200, b"")
        elif self.refuses:
            exchange.send(200 if "prompt_id" in self.refuses else 400, self.refuses)
        else:
            name = f"id-{len(self.workflows)}"
            self.workflows[name] = exchange.body["prompt"]
            exchange.send(200, {"prompt_id": name, "number": 0, "node_errors": {}})

    def get(self, exchange):
        route, _, rest = urlsplit(exchange.path).path.strip("/").partition("/")
        exchange.send(*getattr(self, route)(rest, parse_qs(urlsplit(exchange.path).query)))

    def history(self, name, _):
        if self.stuck or name not in self.workflows:
            return 200, {}
        if self.forgets:
            self.forgets -= 1
            del self.workflows[name]
            return 200, {}
        if why := self.fails and self.fails(self.workflows[name]):
            messages = [["execution_start", {}], ["execution_error", why]]
            return 200, {name: {"outputs": {}, "status": {"status_str": "error", "messages": messages}}}
        images = [{"filename": f"{name}.png", "subfolder": "", "type": kind} for kind in self.outputs.values()]
        outputs = {node: {"images": [image] * self.batch} for node, image in zip(self.outputs, images, strict=True)}
        return 200, {name: {"outputs": outputs, "status": {"status_str": "success", "completed": True}}}

    def queue(self, *_):
        waiting = [[0, name, {}] for name in self.workflows] if self.stuck else []
        return 200, {"queue_running": [], "queue_pending": waiting}

    def object_info(self, kind, _):
        inputs = {"required": {"seed": ["INT", {"default": 0, "min": 0, "max": 2**32 - 1}]}}
        return 200, {kind: {"input": inputs}}

    def system_stats(self, *_):
        return 200, {"system": {"comfyui_version": "0.3.70"}, "devices": [{"name": "cuda:0 NVIDIA H200"}]}

    def view(self, _, query):
        seed = self.workflows[query["filename"][0].removesuffix(".png")]["3"]["inputs"]["seed"]
        rng = np.random.default_rng(seed)
        pixels = np.full((32, 48, 4), 255, np.uint8)
        pixels[8:24, 8:24, :3] = rng.integers(0, 200, 3)
        pixels[..., 3] = 255 if not self.alpha else 0
        pixels[8:24, 8:24, 3] = 255
        return 200, cv2.imencode(".png", pixels)[1].tobytes(), "image/png"


@pytest.fixture
def saved(tmp_path):
    def save(nodes=WORKFLOW):
        path = tmp_path / "workflow.json"
        path.write_text(json.dumps(nodes))
        return path

    return save


def config(path, server, **changes):
    return ComfyUIConfig(**{"workflow": path, "base_url": server.url, "backoff": 0.0, "retries": 1, **changes})


def make(generator, *categories):
    return list(generator([planned_record(name, seed, generator) for seed, name in enumerate(categories)]))


def test_generator__keeps_the_contract(saved):
    with ComfyUI() as server:
        check_generator(config(saved(), server).build, "cup")


def test_generator__prompt_category_and_seed_go_where_the_workflow_says(saved):
    with ComfyUI() as server:
        generator = config(saved(), server).build()
        record = planned_record("cup", 2**40 + 5, generator, prompt="a {category} of {prompt}")
        made = generator([record])[0]
        sent = server.workflows["id-0"]
    assert sent["6"]["inputs"]["text"] == "a {category} of {prompt}, one cup"
    assert sent["3"]["inputs"] == {"seed": 2**40 % 2**32 + 5, "steps": 4, "positive": ["6", 0], "negative": ["7", 0]}
    assert sent["7"] == WORKFLOW["7"] and sent["9"] == WORKFLOW["9"]
    assert (made.width, made.height, made.error) == (48, 32, None)
    assert read_image(made.alpha)[0, 0, 0] == 0 and read_image(made.alpha)[16, 16, 0] == 255
    assert read_image(made.image)[0, 0, 0] == 255


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there; give the file"),
        ("", "empty"),
        ("[1]", "no workflow of ComfyUI"),
        ('{"3": {"inputs": {}}}', "no workflow of ComfyUI"),
        ('{"nodes": [{"id": 3}], "links": []}', "saved for ComfyUI's editor; save it by \"Export"),
        (
            '{"9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "{prompt}"}}}',
            "stands in none of its inputs",
        ),
        (
            '{"6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cup"}}}',
            r'stands in none of its inputs; .*"text" of node 6 \(CLIPTextEncode\), now \'a red cup\'',
        ),
    ],
)
def test_config__what_is_no_workflow_says_what_to_do(tmp_path, content, said):
    path = tmp_path / "workflow.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=said):
        _ = ComfyUIConfig(workflow=path).revision


def test_config__the_revision_is_that_of_what_decides_about_the_pictures(saved):
    def revision(change, **changes):
        nodes = json.loads(json.dumps(WORKFLOW))
        change(nodes)
        return ComfyUIConfig(workflow=saved(nodes), **changes).revision

    same = revision(lambda nodes: None)
    assert revision(lambda nodes: nodes["3"]["inputs"].update(seed=4711)) == same  # the editor draws one as it saves
    assert revision(lambda nodes: nodes["3"].pop("_meta"), base_url="http://gpu:8188") == same
    assert revision(lambda nodes: nodes["3"]["inputs"].update(steps=5)) != same
    assert revision(lambda nodes: nodes["7"]["inputs"].update(text="text")) != same
    assert revision(lambda nodes: None, node="9") == revision(lambda nodes: None, node=9) != same


@pytest.mark.parametrize("whole", [True, False], ids=["nothing of it", "a part of it"])
def test_generator__a_workflow_that_the_server_does_not_take_ends_the_run_with_its_words(saved, whole):
    error = {"message": "Value not in list", "details": "ckpt_name: 'sd.safetensors' not in []"}
    refuses = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"4": {"class_type": "CheckpointLoaderSimple", "errors": [error]}},
    }
    with ComfyUI(refuses=refuses if whole else {**refuses, "prompt_id": "id-0"}) as server:
        generator = config(saved(), server).build()
        with pytest.raises(EndpointError, match=r"node 4 \(CheckpointLoaderSimple\): Value .* not in \[\]") as ended:
            make(generator, "cup", "car")
        with pytest.raises(EndpointError, match="refuses the workflow"):
            make(generator, "cup")
    assert not ended.value.made
    assert set(server.deleted) == (set() if whole else {"id-0"})


def test_generator__a_workflow_that_fails_is_its_rows_error_and_all_of_them_the_runs(saved):
    told = {"node_id": "3", "node_type": "KSampler", "exception_message": "CUDA out of memory.\n", "traceback": []}
    with ComfyUI(fails=lambda nodes: "gun" in nodes["6"]["inputs"]["text"] and told) as server:
        generator = config(saved(), server, concurrency=1).build()
        made = make(generator, "cup", "gun", "car", "gun", "gun", "gun")
        assert [record.error for record in made[:3]] == [None, "node 3 (KSampler): CUDA out of memory.", None]
        hopeless = config(saved(), server, concurrency=1).build()
        with pytest.raises(
            EndpointError, match=r"none of 3 pictures: node 3 \(KSampler\): CUDA out of memory"
        ) as ended:
            make(hopeless, "gun", "gun", "gun", "cup")
    assert [record.category for record in ended.value.made] == ["gun"] * 3


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"outputs": {"9": {"gifs": [{"filename": "a.mp4"}]}}}, "the workflow gives no picture, but gifs"),
        ({"outputs": {"9": None}}, "outcome is not as ComfyUI gives it"),
        ({"outputs": {"9": {"images": ["a.png"]}}}, "outcome is not as ComfyUI gives it"),
        ({"status": "error"}, "outcome is not as ComfyUI gives it"),
        ({"status": {"messages": ["x"]}}, "outcome is not as ComfyUI gives it"),
    ],
)
def test_generator__an_outcome_of_another_shape_is_its_rows_error(saved, outcome, said):
    with ComfyUI() as server:
        server.history = lambda name, _: (200, {name: outcome})
        assert said in make(config(saved(), server).build(), "cup")[0].error


@pytest.mark.parametrize("errors", [{"3": "bad"}, {"3": {"errors": ["bad"]}}, ["bad"]])
def test_generator__a_refusal_of_another_shape_is_told(saved, errors):
    with ComfyUI(refuses={"error": "bad", "node_errors": errors}) as server:
        generator = config(saved(), server).build()
        with pytest.raises(EndpointError, match=r"refuses the workflow: .*bad"):
            make(generator, "cup")


@pytest.mark.parametrize("most", ["Infinity", "-1", "null", '"many"'])
def test_generator__a_largest_seed_that_is_none_limits_nothing(saved, most):
    with ComfyUI() as server:
        described = f'{{"KSampler": {{"input": {{"required": {{"seed": ["INT", {{"max": {most}}}]}}}}}}}}'
        server.object_info = lambda *_: (200, described)
        assert make(config(saved(), server).build(), "cup")[0].error is None


def test_generator__a_server_that_begins_anew_is_asked_again(saved, caplog, monkeypatch):
    monkeypatch.setattr("divergen_gen.comfyui.generator._LOOKS_FOR_IT", 0.1)
    with ComfyUI(forgets=1) as server:
        made = make(config(saved(), server, concurrency=1).build(), "cup", "car")
    assert [record.error for record in made] == [None, None]
    assert len(server.bodies) == 3 and caplog.text.count("began anew") == 1


def test_generator__one_that_does_not_end_leaves_the_queue(saved):
    with ComfyUI(stuck=True) as server:
        made = make(config(saved(), server, timeout=0.2).build(), "cup")
    assert made[0].error == "the workflow did not end within 0.2 seconds"
    assert server.deleted == ["id-0"]


def test_generator__the_picture_is_the_saved_one_or_that_of_the_node_that_is_named(saved, caplog):
    with ComfyUI(outputs={"8": "temp", "9": "output"}, batch=2) as server:
        assert make(config(saved(), server).build(), "cup")[0].error is None
    assert caplog.text.count("2 pictures at a time; the first is taken") == 1
    with ComfyUI(outputs={"8": "output", "9": "output"}) as server:
        with pytest.raises(EndpointError, match="nodes 8, 9 of the workflow give pictures; say which"):
            make(config(saved(), server).build(), "a")
        assert make(config(saved(), server, node=8).build(), "cup")[0].error is None
        said = make(config(saved(), server, node="7").build(), "cup")[0].error
    assert said == "node 7 gives no picture; those that do: 8, 9"


def test_generator__nodes_whose_class_is_no_plain_word(saved):
    nodes = {**WORKFLOW, "3": {**WORKFLOW["3"], "class_type": "KSampler (Efficient) é/#"}}
    with ComfyUI() as server:
        server.object_info = lambda kind, _: (200, {unquote(kind): ComfyUI.object_info(server, "x", _)[1]["x"]})
        generator = config(saved(nodes), server).build()
        made = generator([planned_record("cup", 2**40 + 5, generator)])[0]
        assert server.workflows["id-0"]["3"]["inputs"]["seed"] == 2**40 % 2**32 + 5
    assert made.error is None


def test_generator__without_a_seed_it_is_said(saved, caplog):
    nodes = {**WORKFLOW, "3": {**WORKFLOW["3"], "inputs": {"seed": ["12", 0]}}}
    with ComfyUI() as server:
        server.view = lambda *_: (404, b"")
        made = make(config(saved(nodes), server).build(), "cup")
    assert "no input of the workflow is a seed" in caplog.text
    assert made[0].error == "the server has no such picture (HTTP 404)"


def test_requirements__the_server_is_looked_at(saved):
    def found(settings):
        return [finding for _, need in requirements_of(settings) if (finding := look(need))]

    with ComfyUI() as server:
        assert [one.text for one in found(config(saved(), server))] == [
            f"{server.url} answers: ComfyUI 0.3.70, cuda:0 NVIDIA H200"
        ]
        gone = config(saved().with_name("gone.json"), server)
        assert [one.problem for one in found(gone)] == [True, False]
    silent = found(config(saved(), server))
    assert silent[0].problem and "does not answer" in silent[0].text and "start ComfyUI" in silent[0].text
    with Loopback(lambda exchange: None, lambda exchange: exchange.send(200, "<html>")) as other:
        assert "does not answer as ComfyUI does" in found(config(saved(), other))[0].text
    with Loopback(lambda exchange: None) as other:
        assert "it is no ComfyUI" in found(config(saved(), other))[0].text


def test_generator__a_key_goes_to_the_server_and_is_not_shown(saved, monkeypatch, caplog):
    monkeypatch.setenv("COMFYUI_API_KEY", "sk-planted-0123456789")
    with ComfyUI() as server:
        make(config(saved(), server).build(), "cup")
    assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-planted-0123456789"}
    with ComfyUI() as server:
        server.get = lambda exchange: exchange.send(401, {})
        server._give = server.get
        with pytest.raises(EndpointError, match="refuses the key of COMFYUI_API_KEY") as error:
            make(config(saved(), server).build(), "cup")
    assert "planted" not in caplog.text + str(error.value)


def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text(PromptRecord(text="a red cup", category_id=1, category="cup", source="t").model_dump_json())
    return path


def test_command__one_line(saved, tmp_path):
    with ComfyUI() as server:
        generator = f"comfyui,workflow={saved()},base_url={server.url}"
        line = ["run", str(prompts(tmp_path)), "--table", str(tmp_path / "t.lance"), "--per-category", "2"]
        result = CliRunner().invoke(main, [*line, "-g", generator])
        again = CliRunner().invoke(main, [*line, "-g", generator])
    assert result.exit_code == again.exit_code == 0, result.output
    assert "2 made, 0 failed" in result.output
    assert len(server.workflows) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_command__stopped_it_takes_what_waits_out_of_the_queue(saved, tmp_path):
    with ComfyUI(stuck=True) as server:
        generator = f"comfyui,workflow={saved()},base_url={server.url}"
        line = ["run", str(prompts(tmp_path)), "--table", str(tmp_path / "t.lance"), "--per-category", "5"]
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it"
        )
        code += "\nfrom divergen_gen.cli import main; main()"
        with subprocess.Popen([sys.executable, "-c", code, *line, "-g", generator], stderr=subprocess.PIPE) as run:
            while len(server.workflows) < 2:
                assert run.poll() is None
                time.sleep(0.05)
            run.send_signal(signal.SIGINT)
            try:
                _, said = run.communicate(timeout=60)
            finally:
                run.kill()
    assert run.returncode == 130
    assert sorted(server.deleted) == ["id-0", "id-1"]
    assert b"Traceback" not in said
