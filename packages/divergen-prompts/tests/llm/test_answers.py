from __future__ import annotations

import json
import time

import pytest
from divergen_prompts.llm.answers import Candidate, read_prompts_of
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = "a small red cup, side view", "a large blue cup, front view"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"prompts": [{"text": ONE}, {"text": TWO}]}),
        json.dumps({"prompts": [ONE, TWO]}),
        json.dumps([ONE, TWO]),
        json.dumps({"1": ONE, "2": TWO}),
        json.dumps([{"prompt": ONE, "number": 3}, {"description": TWO}]),
        f"Sure!\n```json\n{json.dumps([ONE, TWO])}\n```\nEnjoy.",
        f"Here you are: {json.dumps([ONE, TWO])} Enjoy.",
        f"<think>1. not this one at all</think>1. {ONE}\n2. {TWO}\n",
        f"Here are 2 prompts:\n\n1. {ONE}\n2) {TWO}.\n\nLet me know!",
        f"- **{ONE}**\n• “{TWO}”",
        f"{ONE}\n\n{TWO}\n",
        f'{{"prompts": [{{"text": "{ONE}", "colour": "red"}}, {{"text": "{TWO}"}}, {{"text": "a gre',
        f'["{ONE}", "{TWO}", "a gre',
        f'{{"prompts": ["{ONE}", "{TWO}", "a gre',
        f'{{"prompts": ["{ONE}", "{TWO}", "a small green cup, side',
        f'["{ONE}", "{TWO}",]',
        f"['{ONE}', '{TWO}']",
        f"```python\nprompts = ['{ONE}', '{TWO}']\n```",
        f"{{'prompts': [{{'text': '{ONE}', 'colour': None}}, {{'text': '{TWO}'}}]}}",
        f"[“{ONE}”, “{TWO}”]",
        f"{{“prompts”: [{{“text”: “{ONE}”}}, {{“text”: “{TWO}”}}]}}",
        f'{{"prompts": [{{"text": "{ONE}"}}, {{"text": "{TWO}"}}]',
        f'{{"text": "{ONE}"}}\n{{"text": "{TWO}"}}\n',
        f'```json\n{{"text": "{ONE}"}}\n```\n\n```json\n{{"text": "{TWO}"}}\n```',
        f'```json\n["{ONE}", "{TWO}"]',
        json.dumps({"reasoning": "The user wants a single cup in a white background.", "prompts": [ONE, TWO]}),
        json.dumps([{"Prompt": ONE, "negative_prompt": "two red cups and a plate"}, {"image_prompt": TWO}]),
        json.dumps({"prompts": [{"id": 1, "text": f"1. {ONE}"}, {"id": 2, "text": f"**{TWO}**"}]}),
        json.dumps({"prompts": json.dumps([ONE, TWO])}),
        json.dumps(json.dumps({"prompts": [ONE, TWO]})),
        json.dumps({"prompt_1": ONE, "prompt_2": TWO}),
        f'{{"prompts": [ // two\n "{ONE}", /* the second */ "{TWO}" # end\n]}}',
        f"{{prompts: [{{text: '{ONE}',}}, {{text: '{TWO}',}},],}}",
        f'{{"prompt": "{ONE}", "prompt": "{TWO}"}}',
        json.dumps({"prompts": [ONE, TWO]}).replace('"', '\\"'),
        json.dumps({"prompts": f"{ONE}\n{TWO}"}),
        json.dumps({"text": f"1. {ONE}\n2. {TWO}"}),
        json.dumps([{"positive_prompt": ONE, "negative_prompt": "two red cups here"}, {"value": TWO}]),
        f"1. {ONE}. 2. {TWO}. 3. no",
        f"&lt;think&gt;1. a draft of a cup&lt;/think&gt;1. {ONE}\n2. {TWO}[e~[",
    ],
)
def test_read_prompts_of__finds_both(content: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(content)] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        "1. {}\n2. {}",
        "1) {}\n2) {}",
        "(1) {}\n(2) {}",
        "[1] {}\n[2] {}",
        "1 - {}\n2 - {}",
        "1: {}\n2: {}",
        "#1 {}\n#2 {}",
        "1️⃣ {}\n2️⃣ {}",
        "① {}\n② {}",
        "**1.** {}\n**2.** {}",
        "**1**. {}\n**2**. {}",
        "**1. {}**\n\n**2. {}**",
        "i. {}\nii. {}",
        "I) {}\nII) {}",
        "a) {}\nb) {}",
        "a. {}\nb. {}",
        "Prompt 1: {}\nPrompt 2: {}",
        "**Prompt 1:** {}\n**Prompt 2:** {}",
        "**Prompt 1**: {}\n\n**Prompt 2**: {}",
        "### Prompt 1\n{}\n\n### Prompt 2\n{}",
        "1. **Prompt:** {}\n   - Colour: red\n2. **Prompt:** {}\n   - Colour: blue",
        "1. **Front view**: {}\n2. **Vintage look**: {}",
        "Image prompt 1 - {}\nImage prompt 2 - {}",
        "- {}\n- {}",
        "* {}\n* {}",
        "+ {}\n+ {}",
        "• {}\n• {}",
        "– {}\n– {}",
        "> {}\n> {}",
        "- [ ] {}\n- [x] {}",
        "✅ Done\n▪ {}\n▪ {}",
        "1. `{}`\n2. `{}`",
        "1. “{}”\n2. «{}»",
        '"{}"\n"{}"',
        '"{}",\n"{}",',
        "Sure! Here you are:\n{}\n---\n{}\n",
        "<ol><li>{}</li><li>{}</li></ol>",
        "<ul>\n<li><b>{}</b></li>\n<li>{}</li>\n</ul>",
        "<prompts><prompt>{}</prompt><prompt>{}</prompt></prompts>",
        "<p>{}<br/>{}</p>",
        "| # | Prompt |\n|---|---|\n| 1 | {} |\n| 2 | {} |",
        "| Prompt | Colour |\n|:--|:--|\n| {} | red |\n| {} | blue |",
        "Prompt | Colour\n--- | ---\n{} | red\n{} | blue",
        "| 1 | {} | red |\n| 2 | {} | blue |",
        "| No. | Text prompt |\n+-----+------+\n| 1 | **{}** |\n| 2 | {} |\n\nEnjoy the prompts!",
        "<table><tr><td>1</td><td>{}</td></tr><tr><td>2</td><td>{}</td></tr></table>",
        "┌───┬────────┐\n│ # │ Prompt │\n├───┼────────┤\n│ 1 │ {} │\n│ 2 │ {} │\n└───┴────────┘",
        'id,prompt\n1,"{}"\n2,"{}"',
        "id\tprompt\n1\t{}\n2\t{}",
        "1;{}\n2;{}",
        "\\begin{{enumerate}}\n\\item {}\n\\item {}\n\\end{{enumerate}}",
        "以下是提示词：\n提示词1：{}\n提示词2：{}",
        "一、{}\n二、{}",
        "１．{}\n２．{}",
        "1°) {}\n2°) {}",
        "🔹 {}\n🔹 {}",
        "1/2: {}\n2/2: {}",
        "第1条：{}\n第2条：{}",
        "第一个提示词：{}\n第二个提示词：{}",
        "（一）{}\n（二）{}",
        "1.) „{}“\n2.) „{}“",
        "1°/ {}\n2°/ {}",
        "Промпт 1: {}\nПромпт 2: {}",
        "Descripción 1: {}\nDescripción 2: {}",
        "١. {}\n٢. {}",
        'text,colour\n"{}",red\n"{}",null',
        '```csv\nid;prompt;view\n1;"{}";side\n2;"{}";front\n```',
        "prompt\tcolour\n{}\tred\n{}\tblue",
        "prompts:\n  - text: {}\n    colour: red\n  - text: {}\n    colour: null",
        "prompt_1: {}\nprompt_2: {}",
        "1. **Vintage Charm** – {}\n2. **Side look** - {}",
        "/imagine prompt: {} --ar 1:1 --v 6\n/imagine prompt: {} --no text",
        "\\begin{{itemize}}\n\\item \\textbf{{{}}}\n\\item \\emph{{{}}}\n\\end{{itemize}}",
        "1. {} (17 words)\n2. {} [1][2]",
        "1. {} (colour: red, view: side)\n2. {}【4:0†source】",
        "☕️ {} ✨\n☕️ {} ✨",
        "\x001. {}\x00\n\ufeff2. {}",
        "1. {}\\n2. {}\\n",
        '<prompts><prompt text="{}" colour="red"/><prompt text="{}"/></prompts>',
        "<p><![CDATA[{}]]></p><p><![CDATA[{}]]></p>",
        "Prompt: {}\nNegative prompt: blurry, two cups, text\nPrompt: {}\nNegative prompt: blurry",
    ],
)
def test_read_prompts_of__without_the_markup(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


THOUGHT = "1. a photo of a person holding a draft cup, in a white background"


@pytest.mark.parametrize(
    "form",
    [
        "1ª {}\n2ª {}",
        "प्रॉम्प्ट 1: {}\nप्रॉम्प्ट 2: {}",
        "Prompt nr 1: {}\nPrompt nr 2: {}",
        "```sql\nINSERT INTO prompts (id, text) VALUES\n(1, '{}'),\n(2, '{}', 'red');\n```",
        '```toml\n[[prompts]]\ntext = "{}"\n\n[[prompts]]\ntext = "{}"\n```',
        '[[prompts]]\ntext = "{}"\n\n[[prompts]]\ntext = "{}"\n',
        "<|channel|>analysis<|message|>a cup of thought<|end|><|start|>assistant<|channel|>commentary to=functions.x "
        '<|constrain|>json<|message|>{{"prompts": ["{}", "{}"]}}<|call|>',
        "[prompt1]\ntext={}\n\n[prompt2]\ntext={}",
        '<function=prompts><parameter=prompts>["{}", "{}"]</parameter></function>',
        'Action: final_answer\nAction Input: {{"prompts": ["{}", "{}"]}}',
        "1. **Red Cup**\n   {}\n\n2. **Blue Cup**\n   {}\n\nI can write more prompts, or others in any style.",
        "**1. A Small Red Cup:**\n{}\n\n**2. A Large Blue Cup:**\n{}",
        "가. {}\n나. {}",
        "1번. {}\n2번. {}",
        "1つ目：{}\n2つ目：{}",
        "Nr. 1: {}\nNr. 2: {}",
        "Invite n°1 : « {} »\nInvite n°2 : « {} »",
        "| Prompt | Text length | Description of view |\n|---|---|---|\n| {} | 9 | from the left |\n| {} | 9 | |",
        "| Prompt | Negative prompt |\n|---|---|\n| {} | blurry, two cups, a hand, low quality |\n| {} | text |",
        '{{"{}": {{"colour": "red"}}, "{}": {{"colour": "blue"}}}}',
        '{{"type": "object", "properties": {{"text": {{"type": "string", "description": "a prompt for a cup"}}}}, '
        '"prompts": ["{}", "{}"]}}',
    ],
)
def test_read_prompts_of__other_servers_forms(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        "⑴ {}\n⑵ {}",
        "⒈ {}\n⒉ {}",
        "➊ {}\n➋ {}",
        "【1】{}\n【2】{}",
        "〔1〕 {}\n〔2〕 {}",
        "1 {}\n2 {}",
        "1.1 {}\n1.2 {}",
        "1st: {}\n2nd: {}",
        "First, {}\nFinally, {}",
        "[Prompt 1] {}\n[Prompt 2] {}",
        "(Prompt 1) {}\n(Prompt 2) {}",
        "Here you are.\nPrompt 1 {}\nPrompt 2 {}\nEnjoy!",
        "~ {}\n~ {}",
        "・{}\n・{}",
        "1 of 2: {}\n2 of 2: {}",
        "1. {}[^1]\n2. {}\n\n[^1]: a cup for a note",
        "Wrong: two cups of coffee\nRight: {}\nRight: {}",
        '{{"drafts": ["a cup of a draft"], "rejected": ["a cup of no use"], "final": ["{}", "{}"]}}',
        "=> {}\n-> {}",
        "◆ {}\n❖ {}",
        "1. 《{}》\n2. ＂{}＂",
        "1. {} (focus on colour)\n2. {} — this shows its size",
    ],
)
def test_read_prompts_of__numbers_and_marks_of_any_kind(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        "1. \u202a{}\u202c\n2. \u2066{}\u2069",
        "1. \u2060{}\n2. {}\u00ad",
        "\u202b1.\u202c {}\n\u202b2.\u202c {}",
        "1. Small cups\n   a. {}\n2. Large cups\n   i. {}",
        "1. Cups\n   a) {}\n   b) {}",
        "1. {} (一只白色背景的杯子)\n2. {} / 白色背景的杯子",
        "1. {} — чашка на белом фоне\n2. {} - كوب",
        "1. {} — 14 words\n2. {} -> one object, good",
        "1. {} — colour: red, material: clay\n2. {} | colour: blue  \\",
        "1. {}\n   *This cup looks well before a white wall.*\n2. {}\n   *A cup for the table.*",
        "1. {}\n2. {}\n\nTips:\n- Use a cup with soft light\n- Keep the cup centred",
        "1. {}\n2. {}\n\n**Checklist:**\n- [x] One cup, before a white wall",
        "Notes:\n- {}\n- {}",
        "Rules:\n- Exactly one cup, before a wall\n\nPrompts:\n- {}\n- {}",
        "1. [{}]\n2. [{}]",
        "1. {} [colour: red; view: side]\n2. {} [colour: blue; view: front]",
        "I – {}\nII – {}",
        "1. İstem: {}\n2. Übung: {}",
        "{} • {} • no",
    ],
)
def test_read_prompts_of__nothing_that_stands_around_one(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        '{{"description": "a cup for a data set", "prompts": [{{"text": "{}"}}, {{"text": "{}"}}]}}',
        '{{"metadata": {{"description": "a cup data set"}}, "rules": ["one cup, no more"], "prompts": ["{}", "{}"]}}',
        '[{{"image_description": "{}", "rationale": "this shows a cup"}}, {{"final_prompt": "{}", "draft": "a"}}]',
        '{{"type": "object", "properties": {{"prompts": [{{"text": "{}"}}, {{"text": "{}"}}]}}}}',
        '{{"prompts": "1. {}\\\\n2. {}"}}',
        "Draft:\n1. a cup of a draft\n\nRevised:\n1. {}\n2. {}",
        '["a cup of a draft"]\nThat is no good. Let me fix it.\n\n["{}", "{}"]',
        "1. {}\n2. {}\n\nIf any of them fails I will fix it at once.\nWith best regards, your model",
        "**Simple**\n1. {}\n\n**Refined elegance**\n2. {}",
    ],
)
def test_read_prompts_of__what_is_said_beside_or_taken_back_is_none(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        "1. a small red cup,\nside view\n\n2. a large blue cup,\nfront view",
        "1. a red cup,\n   side view\n2. a blue cup,\n   front view",
        "1. a small\n   red cup, side view\n2. a large\n   blue cup, front view",
        "a small red cup, in\na white room\na large blue cup\nin a white room",
        '["a small red cup, in\\na white room", "a large blue cup\\nin a white room"]',
    ],
)
def test_read_prompts_of__one_over_two_lines(form: str) -> None:
    found = [candidate.text.replace("in a white room", "side view") for candidate in read_prompts_of(form)]
    assert len(found) == 2 and all(text.endswith("view") for text in found)


@pytest.mark.parametrize(
    "form",
    [
        '"{}", "{}"',
        'Here are two: "{}" and "{}".',
        '("{}", "{}")',
        'print("{}")\nprint("{}")',
        "Prompt(text='{}', colour=None)\nPrompt(text='{}')",
        'id=1, text="{}"\nid=2, text="{}"',
        '["{}"\n "{}"]',
        "[«{}», «{}»]",
        "[„{}“, „{}“]",
        '{{"categories": {{"cup": ["{}", "{}"]}}}}',
        "<span>{}</span><span>{}</span>",
        "<dl><dt>1</dt><dd>{}</dd><dt>2</dt><dd>{}</dd></dl>",
    ],
)
def test_read_prompts_of__never_makes_one_of_two(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


@pytest.mark.parametrize(
    "form",
    [
        "1. {}\n2. {}<|im_end|>\n<|im_start|>user\nMore<|im_end|>\n<|im_start|>assistant\n1. a cup of no-one",
        "1. {}\n2. {}<|eot_id|><|start_header_id|>user<|end_header_id|>\n1. a cup of no-one",
        "1. {}\n2. {}\n\n### Instruction:\n1. a cup of no-one",
        "1. {}\n2. {}\nUser: more\nAssistant:\n1. a cup of no-one",
    ],
)
def test_read_prompts_of__not_what_a_model_says_for_the_next_to_speak(form: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(ONE, TWO))] == [ONE, TWO]


def test_read_prompts_of__half_a_pair_of_utf16_is_left_out() -> None:
    content = json.dumps({"prompts": [f"{ONE} \ud83d"]})
    assert [candidate.text for candidate in read_prompts_of(content)] == [ONE]
    assert [candidate.text for candidate in read_prompts_of(f"1. {ONE} \ud83d")] == [ONE]


@pytest.mark.parametrize(
    "form", ['"{}"\n"{}"', '"{}", "{}"', 'Prompt 1:\n"{}"\nPrompt 2:\n"{}"', 'print("{}")\nprint("{}")']
)
def test_read_prompts_of__other_quotes_within_quotes(form: str) -> None:
    text = "a small cup with 'Paris' on it"
    assert [candidate.text for candidate in read_prompts_of(form.format(text, TWO))] == [text, TWO]


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("1. Small\n  1.1 {}\n2. Large\n  2.1 {}", ["red cup, side view", "Blue cup, front view"]),
        ("1. {}\n2. {}", ["1.5 litre cup, side view", "2.5 cm cup, front view"]),
        ("- {}\n- {}", ["1.5 litre cup, side view", "3D printed cup, front view"]),
    ],
)
def test_read_prompts_of__numbers_of_parts_and_of_measures(form: str, texts: list[str]) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(*texts))] == texts


@pytest.mark.parametrize("name", ["airplane", "notebook", "potted_plant", "banknote"])
def test_read_prompts_of__a_category_that_sounds_like_a_note_or_a_plan(name: str) -> None:
    content = json.dumps({"notes": ["a cup of no use"], name: [ONE, TWO]})
    assert [candidate.text for candidate in read_prompts_of(content)] == [ONE, TWO]


@pytest.mark.parametrize("title", ["Scratched Enamel", "Reflective Chrome", "Thoughtful Shape", "Reasonable Size"])
@pytest.mark.parametrize(
    "form",
    [
        "### {0}\n{1}\n\n### Matte Steel\n{2}",
        "**{0}**\n{1}\n\n**Matte Steel**\n{2}",
        "[{0}] {1}\n[Matte Steel] {2}",
    ],
)
def test_read_prompts_of__titles_that_sound_like_thoughts(form: str, title: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(form.format(title, ONE, TWO))] == [ONE, TWO]


def test_read_prompts_of__apostrophes_between_single_quotes() -> None:
    texts = [text.replace("cup", "artist's cup") for text in (ONE, TWO)]
    assert [candidate.text for candidate in read_prompts_of("['" + "', '".join(texts) + "']")] == texts


@pytest.mark.parametrize(
    "form",
    [
        "<|channel>thought\n{thought}\n<channel|>{answer}",
        "<｜begin▁of▁thinking｜>{thought}<｜end▁of▁thinking｜>{answer}<｜end▁of▁sentence｜>",
        "Here is my thought process:\n{thought}\nHere is my response:\n{answer}",
        "Thought: I need cups.\n{thought}\nFinal Answer: {answer}",
        "<cot>{thought}</cot>{answer}",
        "<self_check>{thought}</self_check>{answer}",
        "<plan>{thought}</plan>\n<prompts>{answer}</prompts>",
        "<details><summary>Thought for 3 s</summary>\n{thought}\n</details>\n{answer}",
        "```thinking\n{thought}\n```\n{answer}",
        "## Reasoning\n{thought}\n\n## Prompts\n{answer}",
        "> Thinking about it\n> {thought}\n\n{answer}",
        "<think>{thought}</think>{answer}",
        "{thought}\n</think>\n\n{answer}",
        "<thinking>\n{thought}\n</thinking>\n{answer}",
        "<Thought>{thought}</Thought>{answer}",
        "{thought}</thinking>{answer}",
        "<reasoning>{thought}</reasoning><answer>{answer}</answer>",
        "<reflection>{thought}</reflection><output>{answer}</output>",
        "<seed:think>{thought}</seed:think>{answer}",
        "◁think▷{thought}◁/think▷{answer}",
        "{thought}◁/think▷{answer}",
        "[THINK]{thought}[/THINK]{answer}",
        "<|begin_of_thought|>{thought}<|end_of_thought|><|begin_of_solution|>{answer}<|end_of_solution|>",
        "<|START_THINKING|>{thought}<|END_THINKING|><|START_RESPONSE|>{answer}<|END_RESPONSE|>",
        "<unused94>thought\n{thought}<unused95>{answer}",
        "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>final<|message|>{answer}<|return|>",
        "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>commentary<|message|>{thought}<|end|>"
        "<|start|>assistant<|channel|>final <|constrain|>json<|message|>{answer}",
        "analysis{thought}assistantfinal{answer}",
        "{answer}<|im_end|>",
        "<think>{thought}</think><think>{thought}</think>{answer}</s>",
        "**Reasoning**\n{thought}\n\n**Final answer:**\n{answer}",
    ],
)
@pytest.mark.parametrize("answer", [json.dumps({"prompts": [ONE, TWO]}), f"1. {ONE}\n2. {TWO}"], ids=["json", "list"])
def test_read_prompts_of__nothing_of_what_was_thought(form: str, answer: str) -> None:
    found = read_prompts_of(form.format(thought=THOUGHT, answer=answer))
    assert [candidate.text for candidate in found] == [ONE, TWO]


@pytest.mark.parametrize(
    "form", ["<think>{}", "<|channel|>analysis<|message|>{}", "◁think▷{}", "[THINK]{}", "<thinking>{}"]
)
def test_read_prompts_of__a_thought_without_end_is_no_answer(form: str) -> None:
    assert read_prompts_of(form.format(THOUGHT)) == []


SCHEMA = '{"type": "object", "properties": {"text": {"type": "string", "description": "a photo of a red cup"}}}'


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"prompts": []}', "I cannot.", "<html><body>a red cup is here</body></html>", "{", '["a gre', SCHEMA],
)
def test_read_prompts_of__finds_none(content: str) -> None:
    assert read_prompts_of(content) == []


def test_read_prompts_of__keeps_known_attributes() -> None:
    content = json.dumps({"prompts": [{"text": ONE, "color": "red", "view": None, "mood": "x", "size": " small "}]})
    assert read_prompts_of(content) == [Candidate(ONE, {"size": "small", "colour": "red"})]
    empty = {
        "colour": "null",
        "size": "N/A",
        "view": "none",
        "style": "",
        "pose": "Not specified",
        "material": "red clay",
    }
    content = json.dumps({"prompts": [{"text": ONE, **empty}]})
    assert read_prompts_of(content) == [Candidate(ONE, {"material": "red clay"})]
    nested = json.dumps({"prompts": [{"text": ONE, "attributes": {"colour": "red"}}]})
    assert read_prompts_of(nested) == [Candidate(ONE, {"colour": "red"})]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('{"prompts": ["a photo of a 12" plate", "a photo of a "blue" plate"]}', ['a 12" plate', 'a "blue" plate']),
        ('Here:\n[{"prompt": "a photo of a 12" plate"}, {"prompt": "a photo of a plate"}]', ['a 12" plate', "a plate"]),
        ('{"prompts": ["a photo of a\n  red cup on white", "a photo of a cup"]}', ["a red cup on white", "a cup"]),
        ('["a photo of a cup\\na photo of a mug", "a photo of a jug"]', ["a cup", "a mug", "a jug"]),
        ("Prompts: a photo of a cup; a photo of a mug; a photo of a jug", ["a cup", "a mug", "a jug"]),
        ("a photo of a cup | a photo of a mug | a photo of a jug.", ["a cup", "a mug", "a jug"]),
        ("1. a photo of a cup; it is red; it is small", ["a cup; it is red; it is small"]),
        ("1. **Cup** (a photo of a red cup)\n2. **Mug** (a photo of a red mug)", ["a red cup", "a red mug"]),
    ],
)
def test_read_prompts_of__inner_quotes_texts_over_lines_lists_in_a_line_prompts_in_brackets(
    content: str, texts: list[str]
) -> None:
    assert [one.text for one in read_prompts_of(content)] == [f"a photo of {text}" for text in texts]


@given(st.text())
def test_read_prompts_of__never_fails(content: str) -> None:
    for candidate in read_prompts_of(content):
        assert "\n" not in candidate.text
        assert len(candidate.text.split()) >= 3


@pytest.mark.parametrize("piece", ["[", " --", " 1. ", "<a ", "\t,;", "**", "1. **a"])
def test_read_prompts_of__what_repeats_for_long_takes_no_time(piece: str) -> None:
    begun = time.process_time()
    assert read_prompts_of(piece * 20_000) == []
    assert time.process_time() - begun < 2
