import numpy as np
import pytest
import torch
from divergen_gen.diffusion.stream import HOPELESS, Drawn, PictureStream, Task
from divergen_gen.testing import FakeGenerator, planned_record
from divergen_records import DivergenError

GENERATOR = FakeGenerator()


def tasks(count, keys=None):
    return [Task(planned_record("cup", seed, GENERATOR), keys and keys[seed]) for seed in range(count)]


class Draw:
    """Noise of the tasks' seeds; remembers its batches."""

    def __init__(self, memory=10**9):
        self.memory, self.batches = memory, []

    def __call__(self, batch):
        self.batches.append([(task.record.seed, task.key) for task in batch])
        if len(batch) > self.memory:
            raise torch.OutOfMemoryError("full")
        pixels = [np.random.default_rng(t.seed).integers(0, 256, (8, 8, 3), dtype=np.uint8) for t in batch]
        finite = torch.ones(len(batch), dtype=torch.bool)
        return Drawn(torch.from_numpy(np.stack(pixels)), finite, [False] * len(batch), lambda: None)


def stream(draw, batch_size=4, **changes):
    settings = {"image_format": "png", "quality": 95, "retries": 2}
    return PictureStream(draw, batch_size=batch_size, **{**settings, **changes})


def test_stream__fills_up_the_last_batch():
    draw = Draw()
    done = list(stream(draw).run(tasks(6)))
    assert [record.seed for record in done] == list(range(6))
    assert [[seed for seed, _ in batch] for batch in draw.batches] == [[0, 1, 2, 3], [4, 5, 5, 5]]


def test_stream__a_batch_holds_one_key():
    draw = Draw()
    keys = ["a", "a", "a", "b", "b", "b", "b", "b", None]
    done = list(stream(draw).run(tasks(9, keys)))
    assert len({record.id for record in done}) == 9
    assert all(len({key for _, key in batch}) == 1 for batch in draw.batches)
    assert len(draw.batches) == 4


def test_stream__a_bad_picture_fills_up_a_later_batch():
    class Sometimes(Draw):
        def __call__(self, batch):
            drawn = super().__call__(batch)
            for at, task in enumerate(batch):
                if task.record.seed == 0 and not task.attempt:
                    drawn.pixels[at] = 255
            return drawn

    draw = Sometimes()
    loop = stream(draw, 2)
    done = {record.id: record for record in loop.run(tasks(7))}
    assert len(done) == 7
    assert loop.reseeded == 1
    assert len(draw.batches) == 4  # 7 pictures and one again


def test_stream__memory_for_none_fails_rows_then_ends():
    loop = stream(Draw(memory=0), 4)
    with pytest.raises(DivergenError, match="no memory for a single picture"):
        list(loop.run(tasks(HOPELESS)))
    failed = list(stream(Draw(memory=0), 4).run(tasks(HOPELESS - 1)))
    assert all("no memory" in record.error for record in failed)
    assert len(failed) == HOPELESS - 1


def test_stream__other_errors_pass():
    def broken(batch):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(stream(broken).run(tasks(2)))


@pytest.mark.parametrize("channels", [2, 4])
def test_stream__a_pictures_own_alpha_is_kept(channels):
    """Layered diffusion, in the form of any pipeline whose output has one channel more."""
    import numpy as np
    from divergen_gen.alpha import split_alpha

    pixels = np.zeros((2, 2, channels), np.uint8)
    pixels[0, 0, -1] = 255
    image, alpha = split_alpha(pixels)
    assert image[..., 0].tolist() == [[0, 255], [255, 255]]
    assert alpha.tolist() == [[255, 0], [0, 0]]
    assert split_alpha(np.full((2, 2, channels), 255, np.uint8))[1] is None
