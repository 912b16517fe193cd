/* Waveforms of two lines over a device: their text, and what they do against closed forms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/overlap.h"
#include "experiment.h"
#include "mho/model/check.h"

/* ---------------------------------------------------------------- text */

static mho_wave wave(const char *text) {
  mho_wave w;
  if (mho__wave_parse(text, &w, &ei))
    fail_msg("'%s': %s", text, ei.message);
  return w;
}

static void test_text(void **state) {
  mho_wave w = wave("0.3 V for 10 us, -0.4V to 0 V in 50us 0.2 V tau 20 us for 60 us,0 for 1 ms "
                    "1 mV tau -1 ms for 2 ms");
  assert_int_equal(w.n, 5);
  NEAR(mho__wave_end(&w), 120e-6 + 3e-3, 1e-12, 0);
  NEAR(mho__wave_volts(&w, 0), 0.3, 1e-15, 0);
  NEAR(mho__wave_volts(&w, 9.99e-6), 0.3, 1e-15, 0);
  NEAR(mho__wave_volts(&w, 35e-6), -0.2, 1e-12, 0);
  NEAR(mho__wave_volts(&w, 80e-6), 0.2 * exp(-1), 1e-12, 0);
  NEAR(mho__wave_volts(&w, 120e-6 + 2e-3), 1e-3 * exp(1), 1e-12, 0);
  assert_true(mho__wave_volts(&w, 200e-6) == 0 && mho__wave_volts(&w, -1e-9) == 0);
  assert_true(mho__wave_volts(&w, 4e-3) == 0 && mho__wave_volts(&w, NAN) == 0);
  w = wave(" , ");
  assert_true(w.n == 0 && mho__wave_end(&w) == 0 && mho__wave_volts(&w, 0) == 0);
}

static void test_wrong_text(void **state) {
  static const struct {
    const char *text, *says;
  } bad[] = {
      {"0.3 V", "piece 1: the end where 'for', 'to' or 'tau'"},
      {"0.3 V for", "piece 1: the end where a time"},
      {"0.3 V for 1 us, 0.3 V fo 1 us", "piece 2: 'fo' where 'for'"},
      {"0.3 V for 0 s", "piece 1 lasts 0 s"},
      {"0.3 V for -1 us", "piece 1: '-1 us' is out of range"},
      {"0.3 for 1 us", "has no unit"},
      {"0.3 s for 1 us", "expected V"},
      {"300 V for 1 us", "out of range: expected -100 to 100 V"},
      {"0.3 V to 0.1 V for 1 us", "piece 1: 'for' where 'in'"},
      {"0.3 V tau 0 s for 1 us", "tau of 0 s"},
      {"0.3 V tau -1 us for 1 ms", "piece 1 grows beyond 100 V"},
      {"high for 1 us", "'high' where a voltage"},
      {"nan V for 1 us", "piece 1"},
      {"1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us "
       "1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us "
       "1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us 1 mV for 1 us",
       "more than 16 pieces"},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_wave w;
    ei = (mho_errinfo){0};
    mho_err err = mho__wave_parse(bad[i].text, &w, &ei);
    if (err != MHO_ECONFIG || !strstr(ei.message, bad[i].says))
      fail_msg("'%s': %s, expected '%s'", bad[i].text, ei.message, bad[i].says);
  }
}

/* ---------------------------------------------------------------- devices */

typedef struct subject {
  mho_experiment *e;
  mho_device_config mean;
  mho_overlap o;
  mho_cells *cell;
} subject;

static subject *subject_of(const char *device, const char *row, const char *column) {
  char yaml[512];
  subject *s = calloc(1, sizeof *s);
  snprintf(yaml, sizeof yaml, "device: %s\n", device);
  s->e = experiment(yaml);
  s->mean = mho_device_mean(&s->e->device_config);
  const mho_device_model *model = (const mho_device_model *)s->e->device.entry;
  s->o.row = wave(row);
  s->o.column = wave(column);
  mho__overlap_device(&s->o, model, s->e->device.params, &s->mean);
  OK(mho_cells_new(model, s->e->device.params, &s->mean, 1, (mho_rng){0}, (mho_rng){0}, &s->cell,
                   &ei));
  return s;
}

static void subject_free(subject *s) {
  mho_cells_free(s->cell);
  mho_experiment_free(s->e);
  free(s);
}

/* Change of the normalized conductance from g on by a pair of spikes. */
static double change_of(subject *s, double difference, double g) {
  mho_stretches felt;
  OK(mho__overlap_pair(&s->o, difference, &felt, &ei));
  return mho__overlap_move(s->cell, &felt, g) - g;
}

/* An exponential tail V_a exp(-t/tau) and a pulse V_b of width w, both of SET: linear beyond the
 * threshold V_t,
 *   dx(D) = k int_D^(D + w) max((V_b + V_a exp(-t/tau))/V_t - 1, 0) dt, the tail from 0 on;
 * and mirrored for RESET. */
static double window(double difference, double k, double end) {
  const double v_a = 0.4, v_b = 0.45, v_t = 0.5, tau = 20e-3, w = 1e-3;
  double from = fmax(difference, 0), crossing = tau * log(v_a / (v_t - v_b));
  double to = fmin(fmin(difference + w, crossing), end);
  if (to <= from)
    return 0;
  return k *
         ((v_b / v_t - 1) * (to - from) + v_a * tau / v_t * (exp(-from / tau) - exp(-to / tau)));
}

static void test_exponential_window(void **state) {
#define LINEAR "{model: vteam, alpha_set: 1, alpha_reset: 1, window: none, k_set: 40, k_reset: 30, "
  subject *up = subject_of(LINEAR "width: 2 ms}", "0.4 V tau 20 ms for 100 ms", "-0.45 V for 1 ms");
  subject *down =
      subject_of(LINEAR "width: 0.1 ms}", "-0.45 V for 1 ms", "0.4 V tau 20 ms for 100 ms");
  double peak = window(0, 40, 1);
  NEAR(peak, 0.0272, 0, 5e-5);
  for (int i = -40; i <= 240; i++) {
    double difference = 0.25e-3 * i;
    double set = window(difference, 40, 1), reset = window(-difference, 30, 1);
    NEAR(change_of(up, difference, 0.4), set, 0, 1e-6 * peak);
    NEAR(change_of(down, difference, 0.4), -reset, 0, 1e-6 * peak);
  }
  assert_true(window(40e-3, 40, 1) > 0 && window(42e-3, 40, 1) == 0);
  subject_free(up);
  subject_free(down);
}

/* A waveform that crosses 0 V over a film without a threshold: its state depends on the integral of
 * the voltage alone, u' = sqrt(u^2 - 2 (r - 1) mu/D^2 int V dt), in a few pulses of the model or in
 * thousands. */
static void test_both_polarities(void **state) {
  static const char *const width[] = {"20 ms", "5 us"};
  for (int k = 0; k < MHO_COUNT(width); k++) {
    char device[256];
    snprintf(device, sizeof device,
             "{model: linear_ion, window: none, speed: 20, width: %s, g_min: 1 uS, g_max: 100 uS}",
             width[k]);
    subject *s = subject_of(device, "0.5 V to -0.9 V in 10 ms", "0.2 V for 4 ms");
    for (int i = -20; i <= 40; i++) {
      double difference = 0.5e-3 * i, r = 100, g = 0.3;
      double volts = (0.5 - 0.9) / 2 * 10e-3 - 0.2 * 4e-3, u = r / (1 + (r - 1) * g);
      double after = sqrt(u * u - 2 * (r - 1) * 20 * volts);
      double expected = (r / after - 1) / (r - 1) - g;
      assert_true(fabs(expected) > 0.05);
      NEAR(change_of(s, difference, g), expected, 0, 1e-6 * fabs(expected));
    }
    subject_free(s);
  }
}

/* x moves by k (V/v_th - 1) w, and R is linear or exponential in it, r = 100: in one pulse of the
 * model or in hundreds. */
static void test_resistance_laws(void **state) {
  static const char *const width[] = {"10 ms", "5 us"};
  for (int k = 0; k < MHO_COUNT(width); k++)
    for (int exponential = 0; exponential < 2; exponential++) {
      char device[256];
      snprintf(device, sizeof device,
               LINEAR "width: %s, g_min: 1 uS, g_max: 100 uS, resistance: r_%s}", width[k],
               exponential ? "exponential" : "linear");
      subject *s = subject_of(device, "0.4 V for 20 ms", "-0.45 V for 2 ms");
      double r = 100, g = 0.1, q = 1 + (r - 1) * g, dx = 40 * 0.7 * 2e-3;
      double u = r / q - (r - 1) * dx, after = exponential ? q * pow(r, dx) : r / u;
      double expected = (after - q) / (r - 1);
      assert_true(expected > 0.03 && u > 1);
      NEAR(change_of(s, 3e-3, g), expected, 0, 1e-6 * expected);
      subject_free(s);
    }
}

/* A film that its window slows down, over which the voltage is constant for a while: its state
 * after a number of steps of the classical method that leaves no error. */
static double biolek(double g, double r, double speed, double volts, double seconds) {
  enum { STEPS = 20000 };
  double x = (r - r / (1 + (r - 1) * g)) / (r - 1), h = speed * volts * seconds / STEPS;
  for (int i = 0; i < STEPS; i++) {
    double k[4], y = x;
    for (int j = 0; j < 4; j++) {
      double end = volts > 0 ? y : 1 - y;
      k[j] = (1 - end * end) / (y + r * (1 - y));
      y = x + (j < 2 ? 0.5 : 1) * h * k[j];
    }
    x += h / 6 * (k[0] + 2 * (k[1] + k[2]) + k[3]);
  }
  return (r / (x + r * (1 - x)) - 1) / (r - 1);
}

static void test_window_of_a_film(void **state) {
  static const char *const width[] = {"20 ms", "50 us"};
  for (int k = 0; k < MHO_COUNT(width); k++) {
    char device[256];
    snprintf(
        device, sizeof device,
        "{model: linear_ion, window: biolek, speed: 20, width: %s, g_min: 1 uS, g_max: 100 uS}",
        width[k]);
    subject *s = subject_of(device, "0.5 V for 40 ms", "-0.4 V for 5 ms");
    for (int i = 0; i < 7; i++) { /* the pulse begins and ends with the row's voltage there */
      double first = biolek(0.3, 100, 20, 0.5, i * 5e-3 + 1e-3);
      double both = biolek(first, 100, 20, 0.9, 5e-3);
      double end = biolek(both, 100, 20, 0.5, 34e-3 - i * 5e-3);
      NEAR(change_of(s, i * 5e-3 + 1e-3, 0.3), end - 0.3, 0, 1e-6 * (end - 0.3));
    }
    subject_free(s);
  }
}

/* F = 1 below x_p: dx = a_p (exp(V) - exp(v_p)) w. */
static void test_yakopcic(void **state) {
  subject *s = subject_of("{model: yakopcic}", "0.2 V for 50 us", "-0.15 V for 20 us");
  double per_s = 4000 * (exp(0.35) - exp(0.16)), tail = 4000 * (exp(0.2) - exp(0.16));
  for (int i = 0; i <= 30; i += 5)
    NEAR(change_of(s, i * 1e-6, 0.05), per_s * 20e-6 + tail * 30e-6, 2e-6, 0);
  NEAR(change_of(s, 40e-6, 0.05), per_s * 10e-6 + tail * 40e-6, 2e-6, 0);
  NEAR(change_of(s, 60e-6, 0.05), tail * 50e-6, 2e-6, 0);
  subject_free(s);
}

/* A model that knows no voltages answers whole pulses: three of them at its own voltage. */
static void test_without_voltages(void **state) {
  subject *s = subject_of(
      "{model: soft_bounds, step_up: 0.02, step_down: 0.01, weak_pulse: {threshold: 0.6}}",
      "1 V for 300 ns", "-1 V for 300 ns, 2 V for 200 ns");
  double up = 1 - 0.4 * pow(0.98, 3), both = up * pow(0.99, 2);
  NEAR(change_of(s, 0, 0.6), both - 0.6, 1e-6, 0);
  NEAR(change_of(s, 1e-6, 0.6), 0.6 * pow(0.99, 2) - 0.6, 1e-5, 0); /* 1 V alone is nothing */
  subject_free(s);
}

/* ---------------------------------------------------------------- the rectangular scheme */

/* Rows +V_r for T_w; columns -V_p for t_p, then +V_d for t_d: an active row is SET by a column that
 * fires, an inactive one RESET, and nothing else moves. */
static void test_truth_table(void **state) {
  subject *s = subject_of("{model: vteam, window: none, alpha_set: 2, alpha_reset: 3, k_set: 20, "
                          "k_reset: 50}",
                          "0.3 V for 50 ms", "-0.4 V for 1 ms, 0.7 V for 2 ms");
  double set = 20 * pow(0.7 / 0.5 - 1, 2) * 1e-3, reset = -50 * pow(0.7 / 0.5 - 1, 3) * 2e-3;
  const struct {
    double row, column, expected; /* s since the spikes; NAN: none */
  } table[] = {
      {10e-3, 0, set}, {NAN, 0, reset}, {60e-3, 0, reset},
      {0, NAN, 0},     {20e-3, NAN, 0}, {NAN, NAN, 0},
  };
  for (int i = 0; i < MHO_COUNT(table); i++) {
    mho_stretches felt;
    OK(mho__overlap_feel(&s->o, table[i].row, table[i].column, 10e-3, &felt, &ei));
    double change = mho__overlap_move(s->cell, &felt, 0.5) - 0.5;
    NEAR(change, table[i].expected, 1e-6, 0);
    assert_int_equal(felt.n, table[i].expected != 0);
  }
  subject_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_wrong_text),
      cmocka_unit_test(test_exponential_window),
      cmocka_unit_test(test_both_polarities),
      cmocka_unit_test(test_resistance_laws),
      cmocka_unit_test(test_window_of_a_film),
      cmocka_unit_test(test_yakopcic),
      cmocka_unit_test(test_without_voltages),
      cmocka_unit_test(test_truth_table),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
