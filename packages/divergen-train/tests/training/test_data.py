from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_train.training.data import in_terms_of


class Named:
    def __init__(self, ids=()):
        self.ids = ids

    def matched(self, categories):
        return Named([category.id for category in categories])

    def __call__(self, sample):
        return sample


def test_in_terms_of__a_paster_that_knows_names_gets_the_data_sets_ids(tmp_path):
    dataset = Dataset(tmp_path / "a.json", tmp_path, [], [], [Category(id=7, name="cup")])
    plain = len
    assert in_terms_of(dataset, Named()).ids == [7]
    assert in_terms_of(dataset, plain) is plain
    assert in_terms_of(dataset, None) is None
