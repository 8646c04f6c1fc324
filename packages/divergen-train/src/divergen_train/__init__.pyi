from .analysis.energy import energy_report, free_energy, object_logits
from .analysis.gap import train_val_gap
from .analysis.maps import embed_objects, embedding_map
from .detectors.config import (
    CenterNet2Config,
    DetectorConfig,
    Detectron2MaskRCNNConfig,
    ResNet50Config,
    SwinConfig,
    TorchvisionConfig,
)
from .errors import TrainingDiverged
from .training.config import TrainConfig
from .training.fit import FitResult, fit
from .training.inference import predict
from .training.log import read_log
from .training.presets import preset
from .training.recipe import Recipe, load_recipe, recipe_names
from .training.truncate import truncate_checkpoint

__all__ = [
    "CenterNet2Config",
    "DetectorConfig",
    "Detectron2MaskRCNNConfig",
    "FitResult",
    "Recipe",
    "ResNet50Config",
    "SwinConfig",
    "TorchvisionConfig",
    "TrainConfig",
    "TrainingDiverged",
    "embed_objects",
    "embedding_map",
    "energy_report",
    "fit",
    "free_energy",
    "load_recipe",
    "object_logits",
    "predict",
    "preset",
    "read_log",
    "recipe_names",
    "train_val_gap",
    "truncate_checkpoint",
]
