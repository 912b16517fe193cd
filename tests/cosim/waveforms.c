/* The change of a device by the waveforms of two spikes, against ngspice on the same two lines.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/overlap.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"

MHO_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libngspice\n";
}

enum { SKIPPED = 77, DIFFERENCES = 9 };

/* The lines: a tail 0.4 V exp(-t/20 ms) for 100 ms and a pulse of 1 ms, each -0.45 V on the other
 * line where the tail is the column's. */
#define TAIL  "0.4 V tau 20 ms for 100 ms"
#define PULSE "-0.45 V for 1 ms"
static const double ORIGIN = 60e-3;

static mho_wave wave(const char *text) {
  mho_wave w;
  OK(mho__wave_parse(text, &w, &ei));
  return w;
}

/* Conductance in ngspice at the end, S: the tail begins at t_tail, the pulse at t_pulse. */
static double run(mho_spice *s, const char *lib, const char *id, bool tail_is_row, double t_tail,
                  double t_pulse) {
  static char netlist[32768];
  double out;
  snprintf(
      netlist, sizeof netlist,
      "two spikes at a device\n.options method=trap reltol=1e-7 abstol=1e-15 chgtol=1e-20\n%s\n"
      "Vtail tail 0 EXP(0 0.4 %.12g 1n %.12g 20m)\nVpulse pulse 0 PWL(0 0 %.12g 0 %.12g -0.45 "
      "%.12g -0.45 %.12g 0)\nXd %s %s mem_%s g0=0.5\n.end\n",
      lib, t_tail, t_tail, t_pulse, t_pulse + 1e-9, t_pulse + 1e-3, t_pulse + 1e-3 + 1e-9,
      tail_is_row ? "tail" : "pulse", tail_is_row ? "pulse" : "tail", id);
  OK(mho_spice_load(s, netlist, &ei));
  char tran[96];
  snprintf(tran, sizeof tran, "tran 1m %.12g 0 20u uic", t_tail + 100e-3);
  OK(mho_spice_run(s, tran, &ei));
  OK(mho_spice_last(s, "v(xd.gs)", &out, &ei));
  return out;
}

static void compare(mho_spice *s, const char *device, bool tail_is_row) {
  char yaml[512], *lib;
  snprintf(yaml, sizeof yaml, "device: %s\n", device);
  mho_experiment *e = experiment(yaml);
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  mho_device_config mean = mho_device_mean(&e->device_config);
  mho_overlap o = {.row = wave(tail_is_row ? TAIL : PULSE),
                   .column = wave(tail_is_row ? PULSE : TAIL)};
  mho_cells *cell;
  mho__overlap_device(&o, model, e->device.params, &mean);
  OK(mho_cells_new(model, e->device.params, &mean, 1, (mho_rng){0}, (mho_rng){0}, &cell, &ei));
  mho_netlist_device x = {.model = model, .params = e->device.params, .config = &mean};
  OK(mho_netlist_device_lib(&x, &lib, &ei));

  double core[DIFFERENCES], spice[DIFFERENCES], peak = 0, worst = 0;
  for (int i = 0; i < DIFFERENCES; i++) {
    double after = -3e-3 + 5e-3 * i; /* from the tail's spike to the pulse's */
    mho_stretches felt;
    OK(mho__overlap_pair(&o, tail_is_row ? after : -after, &felt, &ei));
    double range = mean.g_max - mean.g_min;
    core[i] = mean.g_min + range * mho__overlap_move(cell, &felt, 0.5);
    spice[i] = run(s, lib, model->entry.id, tail_is_row, ORIGIN, ORIGIN + after);
    peak = fmax(peak, fabs(core[i] - mean.g_min - 0.5 * range));
    worst = fmax(worst, fabs(spice[i] - core[i]));
  }
  if (getenv("MHO_TEST_SHOW"))
    print_message("%-12s peak %.3g S, largest difference %.2e of it\n", model->entry.id, peak,
                  worst / peak);
  if (!(worst <= 1e-3 * peak))
    fail_msg("%s: %.3g S apart, the peak is %.3g S", device, worst, peak);
  assert_true(peak > 1e-3 * (mean.g_max - mean.g_min));

  mho_free(lib);
  mho_cells_free(cell);
  mho_experiment_free(e);
}

static void test_windows(void **state) {
  for (int row = getenv("MHO_TEST_SLOW") ? 0 : 1; row < 2; row++) {
    compare(*state, "{model: vteam, k_set: 40, k_reset: 40, width: 1 ms}", row);
    compare(*state, "{model: vteam, alpha_set: 1, window: none, resistance: r_exponential}", row);
    compare(*state,
            "{model: yakopcic, a_p: 200, a_n: 150, v_p: 0.5 V, v_n: 0.5 V, v_set: 0.8 V, "
            "v_reset: -0.8 V, width: 1 ms}",
            row);
    compare(*state, "{model: linear_ion, speed: 3, width: 10 ms}", row);
  }
}

static int open_session(void **state) {
  return mho_spice_open((mho_spice **)state, &ei) ? -1 : setup_registry(NULL);
}

static int close_session(void **state) {
  mho_spice_close(*state);
  return teardown_registry(NULL);
}

int main(void) {
  mho_spice *s;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows)};
  return cmocka_run_group_tests(tests, open_session, close_session);
}
