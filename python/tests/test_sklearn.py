"""Estimators of scikit-learn: its own checks of estimators, searches and pipelines, pickles, and the bits of mho.Network."""
import copy
import pickle
import unittest
import warnings

import numpy as np

from support import Case, main

import mho

try:
    import sklearn
except ImportError:
    sklearn = None

if sklearn is not None:
    from sklearn import datasets
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.estimator_checks import check_estimator

    from mho.sklearn import REFUSED_CHECKS, AnalogClassifier, AnalogRegressor

    class Unexcused(AnalogClassifier):
        """The classifier without a word of what it does not pass."""

        def _more_tags(self):
            return {'_xfail_checks': {}}

#: Hardware with what a network's state must hold: noise, converters, drift, buffers of pulses.
HARDWARE = {
    'ideal': {},
    'periphery': {'device': 'soft_bounds', 'set': {'update.scheme': 'accumulate', 'array.model': 'periphery'}},
    'drift': {'device': {'card': 'pcm'}, 'set': {'update.scheme': 'accumulate'}},
    'tiki_taka': {'device': 'soft_bounds', 'set': {'update.scheme': 'tiki_taka'}},
}


def iris():
    x, y = datasets.load_iris(return_X_y=True)
    return x, np.array(['setosa', 'versicolor', 'virginica'])[y]


@unittest.skipIf(sklearn is None, 'scikit-learn is not here')
class Estimators(Case):
    def failing(self, estimator):
        """Names of scikit-learn's checks that an estimator does not pass."""
        failed, passed = set(), 0
        for candidate, check in check_estimator(estimator, generate_only=True):
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                try:
                    check(candidate)
                    passed += 1
                except unittest.SkipTest:
                    pass
                except Exception:
                    failed.add(check.func.__name__)
        self.assertGreater(passed, 30)
        return failed

    def test_check_estimator(self):
        """They pass, but for what is refused with its reason; whether a last bit differs is the processor's."""
        self.assertLessEqual(self.failing(Unexcused()), set(REFUSED_CHECKS))
        self.assertEqual(self.failing(AnalogRegressor()), set())

    def test_check_estimator_itself_takes_the_reasons(self):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # it says what it leaves out
            check_estimator(AnalogClassifier())
            check_estimator(AnalogRegressor())

    def test_the_bits_are_those_of_a_network(self):
        x, y = iris()
        model = AnalogClassifier(hidden=(8,), device='soft_bounds', epochs=3, random_state=5,
                                 set={'update.scheme': 'accumulate'}).fit(x, y)
        inputs, labels = (x - x.mean(0)) / x.std(0), np.unique(y, return_inverse=True)[1]
        network = mho.Network({'network': {'hidden': [8], 'biases': True}, 'device': 'soft_bounds', 'update': {'scheme': 'accumulate'},
                               'train': {'epochs': 3, 'batch': 20}}, mho.Data((inputs, labels), (inputs, labels)), seed=5)
        network.train()
        self.assertEqual(model.predict_proba(x).tolist(), network.predict(inputs).astype(float).tolist())
        self.assertEqual(model.predict(x).tolist(), np.unique(y)[network.predict(inputs).argmax(1)].tolist())
        self.assertEqual(model.loss_, network.epochs[-1].loss)

    def test_they_learn(self):
        """Smoke tests with one seed: far above chance, and above what a line explains of a curve."""
        x, y = datasets.load_digits(return_X_y=True)
        self.assertGreater(cross_val_score(AnalogClassifier(random_state=1, epochs=20), x, y, cv=3).mean(), 0.85)
        angle = np.random.default_rng(1).uniform(-3, 3, 400)
        both = np.column_stack([100 * np.sin(angle), np.cos(angle) - 5])
        model = AnalogRegressor(random_state=1, epochs=60, set={'update.optimizer': 'adam', 'update.rate': 1e-2})
        model.fit(angle[:300, None], both[:300])
        self.assertEqual(model.predict(angle[300:, None]).shape, (100, 2))
        self.assertGreater(model.score(angle[300:, None], both[300:]), 0.9)
        flat = clone(model).fit(angle[:300, None], both[:300, 0])
        self.assertEqual(flat.predict(angle[300:, None]).shape, (100,))

    def test_a_search_over_devices(self):
        x, y = iris()
        grid = {'analogclassifier__device': ['soft_bounds', {'card': 'ecram'}, 'linear'], 'analogclassifier__hidden': [(4,), (16,)]}
        pipeline = make_pipeline(StandardScaler(), AnalogClassifier(epochs=5, random_state=1, normalize=False,
                                                                    set={'update.scheme': 'accumulate'}))
        serial = GridSearchCV(pipeline, grid, cv=3).fit(x, y)
        spread = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(x, y)
        scores = serial.cv_results_['mean_test_score']
        self.assertEqual(len(scores), 6)
        self.assertTrue(np.isfinite(scores).all())
        self.assertEqual(scores.tolist(), spread.cv_results_['mean_test_score'].tolist())
        self.assertEqual(serial.predict(x).tolist(), spread.predict(x).tolist())

    def test_a_clone_is_not_trained(self):
        x, y = iris()
        model = AnalogClassifier(hidden=(4,), epochs=1, random_state=3, device={'card': 'ecram'}).fit(x, y)
        again = clone(model)
        self.assertEqual(again.get_params(), model.get_params())
        with self.assertRaises(NotFittedError):
            again.predict(x)
        self.assertEqual(again.fit(x, y).predict_proba(x).tolist(), model.predict_proba(x).tolist())

    def test_a_pickle_has_the_weights(self):
        x, y = iris()
        for name, hardware in HARDWARE.items():
            with self.subTest(name):
                model = AnalogClassifier(hidden=(6,), epochs=3, random_state=2, **hardware).fit(x, y)
                for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
                    self.assertEqual(other.network_.save(), model.network_.save())
                    self.assertEqual(other.predict_proba(x).tolist(), model.predict_proba(x).tolist())
                    self.assertEqual(other.get_params(), model.get_params())
        model = AnalogRegressor(hidden=(6,), epochs=3, random_state=2).fit(x[:, :2], x[:, 2:])
        other = pickle.loads(pickle.dumps(model))
        self.assertEqual(other.predict(x[:, :2]).tolist(), model.predict(x[:, :2]).tolist())
        self.assertNotIn(x[:, 2:].tobytes(), pickle.dumps(model))

    def test_a_pickle_is_as_old_as_the_network(self):
        x, y = iris()
        model = AnalogClassifier(hidden=(6,), epochs=3, random_state=2, **HARDWARE['drift']).fit(x, y)
        young = model.predict_proba(x)
        model.network_.age('30d')
        other = pickle.loads(pickle.dumps(model))
        self.assertEqual(other.predict_proba(x).tolist(), model.predict_proba(x).tolist())
        self.assertNotEqual(other.predict_proba(x).tolist(), young.tolist())

    def test_what_is_wrong(self):
        x, y = iris()
        with self.refused('did you mean device.step_up?'):
            AnalogClassifier(device={'model': 'linear', 'stepup': 1}).fit(x, y)
        with self.refused('network.output'):
            AnalogRegressor(set={'network.output': 'softmax'}).fit(x, x)
        with self.assertRaisesRegex(ValueError, 'at least 2 classes'):
            AnalogClassifier().fit(x[:50], y[:50])
        with self.refused('from 0 to 255'):
            AnalogClassifier().fit(np.zeros((300, 2)), np.arange(300))
        with self.refused('dataset.test'):
            AnalogClassifier(set={'dataset.test': 5}).fit(x, y)
        self.assertFalse(hasattr(AnalogClassifier(set={'network.output': 'linear'}), 'predict_proba'))
        self.assertTrue(hasattr(AnalogClassifier(), 'predict_proba'))


if __name__ == '__main__':
    main()
