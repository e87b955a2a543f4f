"""One training step on each Keras backend: gradients accumulated over sub-networks, then applied.

Models are written with `keras.ops`; what differs between TensorFlow, JAX and PyTorch is only how a step is
traced and differentiated. A `Learner` hides that. A sub-network reaches it as a choice: TensorFlow and JAX
take its genes as an input of one trace, PyTorch runs eagerly on them.

A learner built with `fixed=choice` serves that sub-network alone, traced with static shapes (faster).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.spaces.mobile import MobileSpace
from tinynas.supernet.grouped import Tensor
from tinynas.supernet.layers import Cutter, Masks, Slices
from tinynas.supernet.model import Supernet
from tinynas.supernet.phase import Subnet

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]

_Subnet = TypeVar("_Subnet", bound=Subnet)
_Choice = TypeVar("_Choice", bound=Subnet, contravariant=True)


class Trainable(Protocol[_Choice]):
    """What a learner needs of a model: `Supernet`, whose choices are many, or `Network`, which has one."""

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Kernels, and vectors of scales and shifts."""

    @property
    def in_channels(self) -> int:
        """Channels of the pictures."""

    @property
    def statistics_size(self) -> int:
        """Length of the batch-norm statistics."""

    def pack(self, choice: _Choice) -> NDArray[np.int32]:
        """The genes of `choice` as one vector, for traces that take them as an input."""

    def genes(self, choice: _Choice | None, vector: Tensor) -> Any:
        """What `forward` is told: the genes of a fixed `choice`, or else those of a packed `vector`."""

    def forward(self, images: Tensor, genes: Any, statistics: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits [n, classes] and statistics [`statistics_size`]."""


@dataclass(frozen=True, slots=True)
class BatchScore:
    """How a network did on one training batch: its mean loss, and the share of pictures it had right."""

    loss: float
    accuracy: float


class Learner(Protocol[_Choice]):
    """What training and scoring need of a backend."""

    def accumulate(
        self, images: Images, labels: NDArray[np.int64], choice: _Choice, weight: float
    ) -> BatchScore:
        """Add `weight` x the loss's gradient for one sub-network; how it did."""

    def apply(self) -> None:
        """Take one optimiser step with the accumulated gradient and clear it."""

    def statistics(self, images: Images, choice: _Choice) -> Floats:
        """Batch-norm statistics of the sub-network on `images`: [statistics_size]."""

    def logits(self, images: Images, choice: _Choice, statistics: Floats) -> Floats:
        """Logits [n, classes] under given statistics."""


def cutter_for_backend() -> Cutter:
    """How weights are cut on the active backend: JAX cannot slice by traced sizes."""
    return Masks() if keras.backend.backend() == "jax" else Slices()


def build_supernet(space: MobileSpace, seed: int) -> Supernet:
    """The supernet of `space` as the active backend can trace it."""
    return Supernet(space, seed=seed, cutter=cutter_for_backend())


def make_learner(
    model: Trainable[_Subnet],
    optimizer: keras.optimizers.Optimizer,
    smoothing: float,
    fixed: _Subnet | None = None,
) -> Learner[_Subnet]:
    """The learner of the active Keras backend, with label `smoothing`."""
    optimizer.build(model.trainable_variables)
    kinds: dict[str, type[Any]] = {
        "tensorflow": _TensorFlowLearner,
        "jax": _JaxLearner,
        "torch": _TorchLearner,
    }
    learner: Learner[_Subnet] = kinds[keras.backend.backend()](model, optimizer, smoothing, fixed)
    return learner


def smoothed_cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    """Mean cross-entropy of `logits` [n, classes] with labels [n] smoothed by `smoothing`."""
    target = ops.one_hot(labels, logits.shape[-1]) * (1.0 - smoothing) + smoothing / logits.shape[-1]
    return -ops.mean(ops.sum(target * ops.log_softmax(logits), axis=-1))


def share_right(logits: Any, labels: Any) -> Any:
    """Share of `labels` [n] at which `logits` [n, classes] are largest."""
    hits = ops.equal(ops.argmax(logits, axis=-1), ops.cast(labels, "int32"))
    return ops.mean(ops.cast(hits, "float32"))


class _TensorFlowLearner:
    def __init__(
        self,
        model: Trainable[Any],
        optimizer: keras.optimizers.Optimizer,
        smoothing: float,
        fixed: Subnet | None,
    ) -> None:
        import tensorflow as tf

        # its warning that functions are traced again and again: each network is another
        tf.get_logger().setLevel("ERROR")
        channels = model.in_channels
        images = tf.TensorSpec([None, None, None, channels], tf.uint8)
        if fixed is not None:
            images = tf.TensorSpec([None, fixed.resolution, fixed.resolution, channels], tf.uint8)
        labels, weight = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float32)
        vector = tf.TensorSpec([None], tf.int32)
        size = tf.TensorSpec([model.statistics_size], tf.float32)
        variables = [variable.value for variable in model.trainable_variables]
        sums = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in variables]

        @tf.function(autograph=False, input_signature=[images, labels, vector, weight])  # type: ignore[untyped-decorator]
        def accumulate(x: Any, y: Any, genes: Any, scale: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                outputs = model.forward(x, model.genes(fixed, genes))[0]
                loss = smoothed_cross_entropy(outputs, y, smoothing)
            for total, gradient in zip(sums, tape.gradient(loss, variables), strict=True):
                if gradient is not None:
                    total.assign_add(gradient * scale)
            return loss, share_right(outputs, y)

        @tf.function(autograph=False, input_signature=[])  # type: ignore[untyped-decorator]
        def apply() -> None:
            gradients = [total.value() for total in sums]
            # In cross-replica context Keras sums no gradients over replicas, of which there is one: that sum
            # registers a gradient for ever, and this graph and every variable of the model with it.
            tf.distribute.get_replica_context().merge_call(
                lambda _strategy: optimizer.apply(gradients, model.trainable_variables)
            )
            for total in sums:
                total.assign(tf.zeros_like(total))

        @tf.function(autograph=False, input_signature=[images, vector])  # type: ignore[untyped-decorator]
        def statistics(x: Any, genes: Any) -> Any:
            return model.forward(x, model.genes(fixed, genes))[1]

        @tf.function(autograph=False, input_signature=[images, vector, size])  # type: ignore[untyped-decorator]
        def logits(x: Any, genes: Any, given: Any) -> Any:
            return model.forward(x, model.genes(fixed, genes), given)[0]

        self._pack = model.pack
        self._accumulate, self._apply, self._statistics, self._logits = accumulate, apply, statistics, logits

    def accumulate(
        self, images: Images, labels: NDArray[np.int64], choice: Subnet, weight: float
    ) -> BatchScore:
        loss, right = self._accumulate(images, labels, self._pack(choice), np.float32(weight))
        return BatchScore(float(loss), float(right))

    def apply(self) -> None:
        self._apply()

    def statistics(self, images: Images, choice: Subnet) -> Floats:
        return np.asarray(self._statistics(images, self._pack(choice)))

    def logits(self, images: Images, choice: Subnet, statistics: Floats) -> Floats:
        return np.asarray(self._logits(images, self._pack(choice), statistics))


class _JaxLearner:
    def __init__(
        self,
        model: Trainable[Any],
        optimizer: keras.optimizers.Optimizer,
        smoothing: float,
        fixed: Subnet | None,
    ) -> None:
        import jax

        self._model, self._optimizer = model, optimizer
        self._sums: list[Any] | None = None

        def forward(values: list[Any], x: Any, genes: Any, given: Any = None) -> tuple[Any, Any]:
            mapping = list(zip(model.trainable_variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return model.forward(x, model.genes(fixed, genes), given)

        def loss(values: list[Any], x: Any, y: Any, genes: Any) -> tuple[Any, Any]:
            outputs = forward(values, x, genes)[0]
            return smoothed_cross_entropy(outputs, y, smoothing), share_right(outputs, y)

        self._gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self._statistics = jax.jit(lambda values, x, genes: forward(values, x, genes)[1])
        self._logits = jax.jit(lambda values, x, genes, given: forward(values, x, genes, given)[0])
        self._step = jax.jit(optimizer.stateless_apply)

    def _values(self) -> list[Any]:
        return [variable.value for variable in self._model.trainable_variables]

    def accumulate(
        self, images: Images, labels: NDArray[np.int64], choice: Subnet, weight: float
    ) -> BatchScore:
        (loss, right), gradients = self._gradient(self._values(), images, labels, self._model.pack(choice))
        scaled = [gradient * weight for gradient in gradients]
        old = self._sums
        self._sums = scaled if old is None else [a + b for a, b in zip(old, scaled, strict=True)]
        return BatchScore(float(loss), float(right))

    def apply(self) -> None:
        state = [variable.value for variable in self._optimizer.variables]
        values, state = self._step(state, self._sums, self._values())
        self._sums = None
        for variable, value in zip(self._model.trainable_variables, values, strict=True):
            variable.assign(value)
        for variable, value in zip(self._optimizer.variables, state, strict=True):
            variable.assign(value)

    def statistics(self, images: Images, choice: Subnet) -> Floats:
        return np.asarray(self._statistics(self._values(), images, self._model.pack(choice)))

    def logits(self, images: Images, choice: Subnet, statistics: Floats) -> Floats:
        return np.asarray(self._logits(self._values(), images, self._model.pack(choice), statistics))


class _TorchLearner:
    def __init__(
        self,
        model: Trainable[Any],
        optimizer: keras.optimizers.Optimizer,
        smoothing: float,
        fixed: Subnet | None,
    ) -> None:
        import torch

        self._model, self._optimizer, self._smoothing = model, optimizer, smoothing
        self._no_grad = torch.no_grad
        self._tensor = torch.from_numpy

    def accumulate(
        self, images: Images, labels: NDArray[np.int64], choice: Subnet, weight: float
    ) -> BatchScore:
        logits, _ = self._model.forward(self._tensor(images), self._model.genes(choice, None))
        truth = self._tensor(labels)
        loss = smoothed_cross_entropy(logits, truth, self._smoothing)
        (loss * weight).backward()
        return BatchScore(float(loss.detach()), float(share_right(logits.detach(), truth)))

    def apply(self) -> None:
        variables = self._model.trainable_variables
        gradients = [ops.zeros_like(v) if v.value.grad is None else v.value.grad for v in variables]
        with self._no_grad():
            self._optimizer.apply(gradients, variables)
        for variable in variables:
            variable.value.grad = None

    def statistics(self, images: Images, choice: Subnet) -> Floats:
        with self._no_grad():
            return np.asarray(
                self._model.forward(self._tensor(images), self._model.genes(choice, None))[1].cpu()
            )

    def logits(self, images: Images, choice: Subnet, statistics: Floats) -> Floats:
        given = self._tensor(np.asarray(statistics))
        with self._no_grad():
            return np.asarray(
                self._model.forward(self._tensor(images), self._model.genes(choice, None), given)[0].cpu()
            )
