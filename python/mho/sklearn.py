"""Estimators of scikit-learn, for small studies: networks on analog hardware in pipelines and searches over grids.

    from mho.sklearn import AnalogClassifier
    AnalogClassifier(hidden=(32,), device={'card': 'ecram'}, set={'update.scheme': 'accumulate'}).fit(X, y).score(X, y)

It needs scikit-learn, which the rest of the package does not.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import warnings
from typing import Any, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .data import Data
from .errors import Error, IdleKeyWarning
from .experiment import Config, Experiment
from .network import Network

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before release 1.6 it is a method
    def validate_data(estimator, X, y='no_validation', **how):
        return estimator._validate_data(X, y, **how)

SEED_MAX = 2 ** 31 - 1

#: Checks of scikit-learn's check_estimator that the classifier does not pass, and why.
REFUSED_CHECKS = {
    'check_methods_sample_order_invariance':
        'probabilities are of single precision: their last bit depends on the place in a batch, and the check allows 1e-7',
}


def mean_and_spread(x):
    """Of each column; the spread of a constant one is 1."""
    spread = x.std(axis=0)
    return x.mean(axis=0), np.where(spread > 0, spread, 1.0)


class AnalogNetwork(BaseEstimator):
    """What the classifier and the regressor share."""

    output = None  # network.output; None: the config's

    def __init__(self, hidden: Sequence[int] | None = (32,), biases: bool | None = True,
                 device: str | dict[str, Any] | None = None, rule: str | dict[str, Any] | None = None,
                 epochs: int | None = 50, batch: int | None = 20, normalize: bool = True, config: Config = None,
                 set: dict[str, Any] | None = None, random_state: Any = None, threads: int = 1):
        self.hidden, self.biases, self.device, self.rule = hidden, biases, device, rule
        self.epochs, self.batch, self.normalize, self.config, self.set = epochs, batch, normalize, config, set
        self.random_state, self.threads = random_state, threads

    def keys(self, n_samples=SEED_MAX):
        """Keys on top of `config`: what the parameters say for so many samples, then `set`."""
        said = {'network.hidden': None if self.hidden is None else list(self.hidden), 'network.biases': self.biases,
                'network.output': self.output, 'device': self.device, 'rule': self.rule, 'train.epochs': self.epochs,
                'train.batch': None if self.batch is None else min(self.batch, n_samples)}
        return {**{key: value for key, value in said.items() if value is not None}, **(self.set or {})}

    def seed(self):
        """train.seed: an integer is that itself; anything else draws one."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(SEED_MAX))

    def experiment(self, n_samples):
        return Experiment(self.config, self.keys(n_samples), self.seed())

    def inputs(self, X):
        """Samples as the network gets them."""
        check_is_fitted(self)
        return (validate_data(self, X, reset=False) - self.mean_) / self.spread_

    def train(self, X, targets, experiment):
        """Train a network on X [n x features]. It needs samples to test on after each epoch, of which nobody hears."""
        self.mean_, self.spread_ = np.zeros(X.shape[1]), np.ones(X.shape[1])
        if self.normalize:
            self.mean_, self.spread_ = mean_and_spread(X)
        x = (X - self.mean_) / self.spread_
        data = Data(train=(x, targets), test=(x[:1], targets[:1]))
        self.network_ = Network(experiment, data, self.threads)
        self.network_.train(progress=False)
        self.loss_ = self.network_.epochs[-1].loss if self.network_.epochs else np.nan
        return self

    # ------------------------------------------------------------ pickle

    def __getstate__(self):
        """A pickle has the network's experiment and state in place of itself: no samples."""
        state = dict(super().__getstate__())
        network = state.pop('network_', None)
        if network is not None:
            state['stored'] = (network.experiment.yaml(changed_only=True), network.after, network.epochs, network.save())
        return state

    def __setstate__(self, state):
        state = dict(state)
        stored = state.pop('stored', None)
        super().__setstate__(state)
        if stored is not None:
            self.network_ = self.network_of(*stored)

    def network_of(self, config, after, epochs, saved):
        """The network that was stored, on samples of nothing."""
        experiment = quiet_experiment(config)
        classes = len(self.classes_) if hasattr(self, 'classes_') else 0
        n = max(experiment.dict()['train']['batch'], classes)
        x = np.zeros((n, self.n_features_in_))
        targets = np.arange(n) % classes if classes else np.zeros((n, len(self.target_mean_)))
        network = Network(experiment, Data(train=(x, targets), test=(x[:1], targets[:1])), self.threads, bring=False)
        network.load(saved)
        network.age(after)
        network.epochs = epochs
        return network


PARAMETERS = '''

    hidden: units of the hidden layers; biases: whether layers have some. device, rule: a section of the config, a dict
       or its word ({'card': 'ecram'}, 'linear', 'bp'). epochs, batch: of the training; a batch of at most all samples.
       Each of them may be None: what `config` says.
    normalize: subtract the mean of each column of X and divide by its spread, both of the training samples; False: the
       network gets X as it is.
    config, set: as of mho.Experiment, a config below and keys on top of all that the others say.
    random_state: an integer is train.seed itself; None or a RandomState: it draws one.
    threads: of the library; searches have processes of their own (n_jobs).

    network_: the trained mho.Network, to be aged, read, written. loss_: of its last epoch.
    A pickle stores weights, conductances and all that changes while training, not the samples: what comes out of it
    answers, and learns anew by `fit`.
    '''


def quiet_experiment(config, keys=None):
    """An experiment whose keys without effect have been named already, or will be."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', IdleKeyWarning)
        return Experiment(config, keys)


def answers_probabilities(estimator):
    """Whether the read-out is softmax. A config that is wrong is fit's to refuse."""
    try:
        return quiet_experiment(estimator.config, estimator.keys()).dict()['network']['output'] == 'softmax'
    except Error:
        return True


class AnalogClassifier(ClassifierMixin, AnalogNetwork):
    __doc__ = 'A classifier: a network on analog hardware, trained there. It has up to 256 classes.' + PARAMETERS

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> AnalogClassifier:
        """Train on samples X [n x features] of classes y [n], whatever words or numbers these are."""
        X, y = validate_data(self, X, y, multi_output=True, dtype=np.float64)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f'all samples are of one class, {self.classes_[0]!r}: at least 2 classes are needed')
        return self.train(X, labels, self.experiment(len(X)))

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """The class that answers most to each of the samples X [n x features]: [n]."""
        return self.classes_of(self.inputs(X))

    def classes_of(self, inputs):
        return self.classes_[self.network_.predict(inputs).argmax(axis=1)]

    @available_if(answers_probabilities)
    def predict_proba(self, X: npt.ArrayLike) -> np.ndarray:
        """Probabilities [n x classes] of samples X [n x features], in the order of classes_; of softmax read-outs."""
        inputs = self.inputs(X)
        return self.network_.predict(inputs).astype(np.float64)

    def _more_tags(self):
        return {'_xfail_checks': REFUSED_CHECKS}


class AnalogRegressor(RegressorMixin, AnalogNetwork):
    __doc__ = 'A regressor: a network on analog hardware with a linear read-out, trained there.' + PARAMETERS

    output = 'linear'

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> AnalogRegressor:
        """Train on samples X [n x features] with values y [n] or [n x values], of which the network learns each less its
        mean, divided by its spread."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        self.is_flat_ = y.ndim == 1
        values = np.asarray(y, np.float64).reshape(len(y), -1)
        self.target_mean_, self.target_spread_ = mean_and_spread(values)
        values = (values - self.target_mean_) / self.target_spread_
        return self.train(X, values, self.experiment(len(X)))

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """Values of samples X [n x features], in their own units: [n] or [n x values], as y was."""
        inputs = self.inputs(X)
        values = self.network_.predict(inputs) * self.target_spread_ + self.target_mean_
        return values[:, 0] if self.is_flat_ else values

    def _more_tags(self):
        return {'multioutput': True}
