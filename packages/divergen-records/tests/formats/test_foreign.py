"""What other tools write in forms that are not read: one sentence that names the tool and the way out."""

import os

import pytest
from click.testing import CliRunner
from divergen_records import DatasetError
from divergen_records.cli import main
from divergen_records.coco import read_dataset
from divergen_records.formats.layouts import find_layout

WRITTEN = {
    "CVAT": ("annotations.xml", "<?xml?>\n<annotations>\n<version>1.1</version><meta>", '"COCO 1.0"'),
    "Pascal VOC": ("Annotations/a.xml", "<annotation>\n<filename>a.jpg</filename><object>", "boxes"),
    "VIA": ("via_region_data.json", '{"a.jpg1": {"regions": [{"shape_attributes": {}}]}}', "export it there as COCO"),
    "VIA's table": ("via.csv", "filename,region_shape_attributes,region_attributes\n", "export it there as COCO"),
    "Label Studio": ("project-1.json", '[{"annotations": [{"result": [{"original_width": 9}]}]}]', "project there as"),
    "Supervisely": ("ds0/ann/a.jpg.json", '{"objects": [{"classTitle": "cup"}]}', "Export to COCO"),
    "Datumaro": ("annotations/a.json", '{"dm_format_version": "1.0", "items": []}', "datum convert"),
    "SuperAnnotate": ("a.jpg.json", '{"instances": [{"className": "cup"}]}', "export_annotation"),
    "Darwin": ("a.json", '{"version": "2.0", "item": {"slots": []}, "annotations": []}', "darwin dataset convert"),
    "Labelbox": ("export.ndjson", '{"data_row": {"id": "x"}}', "Labelbox's Python SDK"),
    "Kili": ("data.json", '[{"externalId": "a.jpg", "labels": [{"jsonResponse": {}}]}]', 'fmt="coco"'),
    "Scale": ("tasks.json", '[{"task_id": "5", "response": {"annotations": [{"vertices": []}]}}]', "(label, vertices)"),
    "Scale Nucleus": ("a.json", '{"annotations": [{"geometry": {"vertices": []}}]}', "(label, vertices)"),
    "Dataloop": ("a.json", '{"annotations": [{"coordinates": [[{"x": 1, "y": 2}]]}]}', "dtlpy-converters"),
    "Hasty": ("export.json", '{"label_classes": [], "images": []}', "project there as COCO"),
    "Encord": ("labels.json", '[{"data_title": "a.jpg", "label_hash": "0f5a", "data_units": {}}]', "there as COCO"),
    "Segments.ai": ("v1.json", '{"dataset": {"task_type": "segmentation-bitmap", "samples": []}}', "coco-instance"),
    "SA-1B": (
        "sa_1.json",
        '{"annotations": [{"predicted_iou": 0.9, "stability_score": 0.9}]}',
        "category of each mask",
    ),
    "detectron2": ("dicts.json", '[{"file_name": "a.jpg", "annotations": [{"bbox_mode": 1}]}]', "convert_to_coco_json"),
    "OpenMMLab": ("train.json", '{"metainfo": {"classes": ["cup"]}, "data_list": []}', "that it was made from"),
    "ISAT": ("a.json", '{"info": {"description": "ISAT"}, "objects": []}', "ISAT to COCO"),
    "Create ML": ("_annotations.createml.json", '[{"annotations": [{"coordinates": {"x": 1}}]}]', "COCO Segmentation"),
    "Cityscapes": ("gtFine/a.json", '{"imgHeight": 9, "objects": []}', "cityscapes.py"),
    "panoptic": ("panoptic_val.json", '{"images": [], "annotations": [{"segments_info": []}]}', "panopticapi"),
    "Open Images": ("labels/boxes.csv", "ImageID,Source,LabelName,Confidence\n", "COCODetectionDataset"),
    "TensorFlow": ("cups.tfrecord-00000-of-00001", "", "export COCO where"),
    "Hugging Face": ("data/train-00000-of-00001.parquet", "PAR1", "as a COCO file"),
    "DOTA": ("labelTxt/a.txt", "imagesource:x\ngsd:1\n", "turned boxes"),
    "YOLO without its YAML": ("labels/a.txt", "0 0.5 0.5 0.25 0.25\n", "classes.txt"),
    "an archive": ("coco.zip", "PK", "unpack it"),
    "pictures": ("a.jpg", "", "divergen-annotate photos"),
}


@pytest.mark.parametrize(("name", "text", "remedy"), WRITTEN.values(), ids=WRITTEN)
def test_foreign__one_sentence_with_the_way_out(tmp_path, name, text, remedy):
    file = tmp_path / "data" / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "data")])
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert remedy in result.output
    with pytest.raises(DatasetError) as caught:  # as a run looks
        read_dataset(find_layout(tmp_path / "data").splits["train"].path)
    assert remedy in str(caught.value)


def test_foreign__a_file_given_as_the_data(tmp_path):
    (tmp_path / "a.json").write_text('{"shapes": [], "imagePath": "a.jpg"}')
    with pytest.raises(DatasetError, match="is labelme's; give its folder"):
        read_dataset(tmp_path / "a.json")


def test_foreign__what_nobody_knows_keeps_the_list_of_formats(tmp_path):
    (tmp_path / "a.json").write_text('{"ours": 1}')
    assert "is not a" not in (output := CliRunner().invoke(main, ["check", str(tmp_path)]).output)
    assert "known: yolo" in output


@pytest.mark.parametrize("name", ["annotations.xml", "via.csv", "a.json", "instance_pools.json", "labels/boxes.csv"])
def test_foreign__a_pipe_is_not_waited_for(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert "a pipe or a device" in result.output
