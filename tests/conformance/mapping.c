/* Every mapping through the same checks, and one of three banks that is not in the tree: its table
 * of banks is one that reads can follow; what it writes is the weight, as the core, the circuit in
 * ngspice and the wires' own solver read it; pulses move it by the step they are said to; drift,
 * noise, faults and half-selected cells go through all of its banks; and the mapping of three banks
 * is trained, resumed, exported and brought back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "mho/wire.h"
#include "three_banks.h"

#include <unistd.h>

enum { ROWS = 24, COLS = 16, N = ROWS * COLS };

static int setup(void **state) {
  return setup_registry(state) ||
         mho_registry_add(registry, MHO_KIND_MAPPING, &mho_mapping_three.entry, &ei);
}

static void each(void (*f)(const mho_mapping *m)) {
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_MAPPING); i++)
    f((const mho_mapping *)mho_registry_at(registry, MHO_KIND_MAPPING, i));
}

/* A crossbar of this mapping with its experiment, which must be freed after it. */
typedef struct subject {
  mho_experiment *e;
  mho_crossbar *x;
} subject;

static subject make(const mho_mapping *m, const char *device, const char *rest) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, mapping: %s, step_up: 1e-3, step_down: 1e-3%s}\n%s",
           m->entry.id, device, rest);
  subject s = {.e = experiment(yaml)};
  s.x = crossbar(s.e, ROWS, COLS);
  assert_ptr_equal(s.x->mapping, m);
  return s;
}

static void drop(subject *s) {
  mho_crossbar_free(s->x);
  mho_experiment_free(s->e);
}

/* Weights over all that the mapping holds, and a little inside of it. */
static void spread_out(const mho_mapping *m, mho_real *w) {
  double low = m->positive ? 0.05 : -0.95;
  for (int i = 0; i < N; i++)
    w[i] = (mho_real)(2 * (low + (0.95 - low) * (i * 37 % N) / (N - 1)));
}

/* sum_k gain_k g_k w_max of a cell, from conductances as they are or as reads find them. */
static double weight_of(const mho_crossbar *x, size_t cell, bool shown) {
  double sum = 0;
  for (int k = 0; k < x->n_banks; k++)
    sum += x->role[k].gain * (double)(shown ? mho_crossbar_shown(x, k)[cell] : x->bank[k]->g[cell]);
  return x->w_max * sum;
}

/* ---------------------------------------------------------------- the table */

static void table(const mho_mapping *m) {
  double sum = 0;
  assert_true(m->n_banks >= 1 && m->n_banks <= MHO_BANKS_MAX && m->span > 0);
  assert_int_equal(m->bank[0].kind, MHO_BANK_DEVICES);

  for (int k = 0; k < m->n_banks; k++) {
    const mho_bank *b = &m->bank[k];
    sum += b->gain;
    assert_true(b->gain != 0 && b->name && b->title);
    assert_non_null(strchr("pncdghjklmoqrsty", b->letter));
    for (int other = 0; other < k; other++)
      assert_true(strcmp(b->name, m->bank[other].name) && b->letter != m->bank[other].letter);
  }
  NEAR(sum, 0, 0, 1e-12);
}

static void test_table(void **state) {
  each(table);
}

/* A table that reads could not follow is refused. */
static void test_bad_tables(void **state) {
  mho_experiment *e = experiment("device: linear\n");
  mho_mapping bad = mho_mapping_three;
  mho_crossbar *x;
  for (int what = 0; what < 3; what++) {
    bad = mho_mapping_three;
    if (what == 0)
      bad.bank[1].gain = 0.5;
    else if (what == 1)
      bad.n_banks = MHO_BANKS_MAX + 1;
    else
      bad.bank[0].kind = MHO_BANK_REFERENCE;
    mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                              .device_params = e->device.params,
                              .device_config = &e->device_config,
                              .mapping = &bad,
                              .array = (const mho_array_model *)e->array.entry,
                              .array_params = e->array.params,
                              .w_max = 1};
    assert_int_equal(mho_crossbar_new(2, 2, &o, &x, &ei), MHO_EINVAL);
    assert_non_null(strstr(ei.message, "'test_three'"));
    assert_null(x);
  }

  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- exact writes */

static void writes(const mho_mapping *m) {
  subject s = make(m, "", "");
  mho_crossbar *x = s.x;
  mho_real w[N], dw[N];
  double *g[MHO_BANKS_MAX], unit;
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], 0, 0, 1e-6);

  spread_out(m, w);
  assert_int_equal(mho_crossbar_beyond(x, 0, N, w), 0);
  assert_int_equal(mho_crossbar_set(x, 0, N, w), 0);
  for (int k = 0; k < x->n_banks; k++)
    g[k] = mho_alloc(N, sizeof *g[k]);
  mho_crossbar_siemens(x, &s.e->device_config, g, &unit);
  for (size_t i = 0; i < N; i++) {
    double sum = 0;
    for (int k = 0; k < x->n_banks; k++)
      sum += x->role[k].gain * g[k][i] / unit;
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 1e-5);
    NEAR(weight_of(x, i, false), w[i], 0, 1e-5);
    NEAR(sum, w[i], 0, 1e-5);
  }

  /* changes, of every second cell: the others keep their conductances */
  for (int i = 0; i < N; i++)
    dw[i] = i % 2 ? (mho_real)-0.03 * (w[i] > 0 ? 1 : -1) : 0;
  mho_crossbar_add(x, 0, N, dw, 1);
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], (double)w[i] + (double)dw[i], 0, 1e-5);

  for (int k = 0; k < x->n_banks; k++)
    mho_free(g[k]);
  drop(&s);
}

static void test_writes(void **state) {
  each(writes);
}

/* What is beyond the bounds is counted, and as far as they go is written. */
static void clips(const mho_mapping *m) {
  subject s = make(m, "", "");
  mho_real w[N];
  int beyond = 0;
  for (int i = 0; i < N; i++) {
    w[i] = (mho_real)(12.0 * (i - N / 2) / N); /* +-6 of w_max 2: more than any mapping holds */
    beyond += fabs((double)w[i]) > 2.6 || (m->positive && w[i] < 0);
  }
  size_t found = mho_crossbar_beyond(s.x, 0, N, w);
  assert_true(found >= (size_t)beyond);
  assert_true((size_t)mho_crossbar_set(s.x, 0, N, w) >= found);
  for (int i = 0; i < N; i++) {
    double got = (double)mho__crossbar_programmed(s.x)[i];
    assert_true(got * (double)w[i] >= -1e-6 && fabs(got) <= fabs((double)w[i]) + 1e-5);
    if (m->positive)
      assert_true(got >= -1e-6);
  }
  drop(&s);
}

static void test_clips(void **state) {
  each(clips);
}

/* What wanted changes ask of the banks adds up to them. */
static void shares(const mho_mapping *m) {
  subject s = make(m, "", "");
  mho_real dw[MHO_DEVICE_BLOCK];
  float share[MHO_BANKS_MAX][MHO_DEVICE_BLOCK], *of[MHO_BANKS_MAX];
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    of[k] = share[k];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    dw[i] = (mho_real)(1e-3 * (i - 100));

  mho_crossbar_shares(s.x, MHO_DEVICE_BLOCK, dw, of);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    double sum = 0;
    for (int k = 0; k < s.x->n_banks; k++)
      sum += mho_crossbar_writes(s.x, k) ? s.x->role[k].gain * (double)share[k][i] : 0;
    NEAR(s.x->w_max * sum, dw[i], 1e-5, 1e-9);
  }
  drop(&s);
}

static void test_shares(void **state) {
  each(shares);
}

/* ---------------------------------------------------------------- pulses */

/* Pulses move a weight by the step they are said to, up and down, on neighbours and scattered, and
 * reach no bank that is written once. */
static void pulses(const mho_mapping *m) {
  subject s = make(m, "", "");
  mho_crossbar *x = s.x;
  mho_real w[N], before[N];
  int16_t count[MHO_DEVICE_BLOCK];
  uint32_t cell[MHO_DEVICE_BLOCK];
  float fixed[MHO_BANKS_MAX][N];
  mho_pulse_counts counts = {0};
  double step =
      mho_crossbar_step(x, mho_device_nominal_step((const mho_device_model *)s.e->device.entry,
                                                   s.e->device.params, &s.e->device_config));
  int taking = mho_crossbar_pulsed(x), sum = 0;
  assert_true(step > 0 && taking >= 1);

  spread_out(m, w);
  for (int i = 0; i < N; i++)
    w[i] *= (mho_real)0.5;
  mho_crossbar_set(x, 0, N, w);
  for (int k = 0; k < x->n_banks; k++)
    memcpy(fixed[k], x->bank[k]->g, sizeof fixed[k]);
  memcpy(before, mho__crossbar_programmed(x), sizeof before);

  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    count[i] = (int16_t)(m->positive ? i % 4 : i % 7 - 3);
    sum += abs(count[i]);
  }
  mho_crossbar_change(x, 0, MHO_DEVICE_BLOCK, count, 1, &counts);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    NEAR(mho__crossbar_programmed(x)[i] - before[i], count[i] * step, 1e-3, 2e-6);
  NEAR(counts.set + counts.reset, taking * sum, 0, 0);

  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    cell[i] = (uint32_t)(i * 5 % MHO_DEVICE_BLOCK);
    count[i] = (int16_t) - (m->positive ? (int)cell[i] % 4 : (int)cell[i] % 7 - 3);
  }
  mho_crossbar_change_at(x, MHO_DEVICE_BLOCK, cell, count, 2, &counts);
  mho_crossbar_refresh(x, 0, N);
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], before[i], 0, 4e-6);

  for (int k = 0; k < x->n_banks; k++)
    if (!mho_crossbar_writes(x, k))
      assert_memory_equal(fixed[k], x->bank[k]->g, sizeof fixed[k]);
  drop(&s);
}

static void test_pulses(void **state) {
  each(pulses);
}

/* ---------------------------------------------------------------- time, noise, faults */

/* What time leaves of the banks is what reads multiply with; currents of circuits stay. */
static void drift(const mho_mapping *m) {
  subject s = make(m, ", drift: {law: power, nu: 0.1, nu_spread: 0.03}", "");
  mho_crossbar *x = s.x;
  mho_real w[N];
  spread_out(m, w);
  mho_crossbar_set(x, 0, N, w);
  OK(mho_crossbar_age(x, 3600, &ei));

  int moved = 0;
  for (size_t i = 0; i < N; i++) {
    NEAR(mho_crossbar_matrix(x)[i], weight_of(x, i, true), 0, 1e-5);
    moved += fabs((double)(mho_crossbar_matrix(x)[i] - w[i])) > 1e-3;
  }
  assert_true(moved > N / 2);
  for (int k = 0; k < x->n_banks; k++) {
    bool same = !memcmp(mho_crossbar_shown(x, k), x->bank[k]->g, N * sizeof(float));
    assert_int_equal(same, x->role[k].kind == MHO_BANK_CURRENTS);
  }

  OK(mho_crossbar_age(x, 0, &ei));
  for (int i = 0; i < N; i++)
    NEAR(mho_crossbar_matrix(x)[i], w[i], 0, 1e-5);
  drop(&s);
}

static void test_drift(void **state) {
  each(drift);
}

/* Mean square of the noise of columns that are read with 1 on every line. */
static double noise_of(const subject *s) {
  enum { READS = 3000 };
  mho_real v[ROWS], quiet[COLS] = {0}, y[COLS];
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(s->x, 1), sizeof *scratch);
  double squares = 0;
  for (int i = 0; i < ROWS; i++)
    v[i] = 1;
  for (size_t i = 0; i < N; i++)
    quiet[i % COLS] += mho_crossbar_matrix(s->x)[i];

  for (int r = 0; r < READS; r++) {
    mho_read read = {
        .n = 1, .x = v, .y = y, .scale = 1, .clock = {(uint64_t)r}, .scratch = scratch};
    mho_crossbar_read(s->x, &read);
    for (int j = 0; j < COLS; j++)
      squares += pow((double)(y[j] - quiet[j]), 2) / (COLS * READS);
  }
  mho_free(scratch);
  return squares;
}

/* Noise of reads, of the array's law and of the devices' own: every bank of devices has its part,
 * by the square of its gain. */
static void noise(const mho_mapping *m) {
  static const char *const keys[][2] = {
      {"", "array: {read_noise: 0.02}\n"},
      {"", "array: {read_noise: 0.02, noise: {law: proportional}}\n"},
      {", read_noise: {law: proportional, sigma: 0.02}", "array: {model: periphery}\n"}};

  for (int law = 0; law < MHO_COUNT(keys); law++) {
    subject s = make(m, keys[law][0], keys[law][1]);
    mho_real w[N];
    double want = 0;
    spread_out(m, w);
    mho_crossbar_set(s.x, 0, N, w);

    for (size_t i = 0; i < N; i++)
      for (int k = 0; k < s.x->n_banks; k++) {
        double g = law ? mho_cells_siemens(s.x->bank[k], i) / 99e-6 : 1; /* of the range */
        double sigma = s.x->role[k].gain * s.x->w_max * 0.02 * g;
        want += s.x->role[k].kind == MHO_BANK_CURRENTS ? 0 : sigma * sigma / COLS;
      }
    NEAR(noise_of(&s), want, 0.05, 0);
    drop(&s);
  }
}

static void test_noise(void **state) {
  each(noise);
}

/* Faulty cells of any bank hold their conductance, and the weight says what is there. */
static void faults(const mho_mapping *m) {
  subject s = make(m, ", stuck_on: 0.1, stuck_off: 0.1, open: 0.1", "");
  mho_crossbar *x = s.x;
  mho_real w[N];
  int faulty = 0;
  spread_out(m, w);
  mho_crossbar_set(x, 0, N, w);

  for (size_t i = 0; i < N; i++) {
    bool sound = true;
    for (int k = 0; k < x->n_banks; k++)
      sound = sound && !(x->bank[k]->fault && x->bank[k]->fault[i]);
    NEAR(mho_crossbar_matrix(x)[i], weight_of(x, i, false), 0, 1e-5);
    if (sound)
      NEAR(mho_crossbar_matrix(x)[i], w[i], 0, 1e-5);
    faulty += !sound;
  }
  assert_true(faulty > N / 5 && faulty < N);
  for (int k = 0; k < x->n_banks; k++)
    assert_int_equal(x->bank[k]->fault != NULL, mho_crossbar_writes(x, k));
  drop(&s);
}

static void test_faults(void **state) {
  each(faults);
}

/* ---------------------------------------------------------------- wires */

/* Currents of all lines of a tile that is solved as a circuit, one word line of it at 1 V. */
static void solve_tile(const subject *s, const double *g, int width, int row, double *current) {
  double v[ROWS] = {0};
  mho_wire *w;
  v[row] = 1;
  OK(mho_wire_new(&(mho_wire_options){.rows = ROWS,
                                      .cols = width,
                                      .r_word = s->e->array_config.r_word,
                                      .r_bit = s->e->array_config.r_bit,
                                      .method = MHO_WIRE_DIRECT},
                  &w, &ei));
  OK(mho_wire_set(w, g, &ei));
  OK(mho_wire_solve(w, &(mho_wire_read){.n = 1, .v_word = v, .i_bit = current}, NULL, &ei));
  mho_wire_free(w);
}

/* The effective matrix between wires is what the solver finds of the banks' own tiles, and of one
 * in which they lie in neighbouring columns. */
static void wires(const mho_mapping *m) {
  for (int together = 0; together < 2; together++) {
    char rest[256];
    snprintf(rest, sizeof rest, "array: {wire: {r_word: 3 ohm, r_bit: 2 ohm, negative: %s}}\n",
             together ? "neighbour" : "own");
    subject s = make(m, "", rest);
    mho_crossbar *x = s.x;
    int nb = x->n_banks, width = together ? nb * COLS : COLS, tiles = together ? 1 : nb;
    mho_real w[N];
    mho_wired *wired;
    double *g[MHO_BANKS_MAX], *tile = mho_alloc((size_t)(N * nb), sizeof *tile), unit, apart = 0;
    spread_out(m, w);
    mho_crossbar_set(x, 0, N, w);
    OK(mho_wired_new(1, &x, &s.e->array_config, &s.e->device_config, NULL, &wired, &ei));
    mho_wired_refresh(wired, 0, true);
    for (int k = 0; k < nb; k++)
      g[k] = mho_alloc(N, sizeof *g[k]);
    mho_crossbar_siemens(x, &s.e->device_config, g, &unit);

    for (int row = 0; row < ROWS; row += 5) {
      double want[COLS] = {0}, current[MHO_BANKS_MAX * COLS];
      for (int t = 0; t < tiles; t++) {
        int banks = together ? nb : 1;
        for (int i = 0; i < N; i++)
          for (int k = 0; k < banks; k++)
            tile[i * banks + k] = g[t + k][i];
        solve_tile(&s, tile, width, row, current);
        for (int j = 0; j < width; j++)
          want[j / banks] += x->role[t + j % banks].gain * current[j] / unit;
      }
      for (int j = 0; j < COLS; j++) {
        NEAR(mho_crossbar_matrix(x)[row * COLS + j], want[j], 0, 1e-5);
        apart = fmax(apart, fabs(want[j] - (double)w[row * COLS + j]));
      }
    }
    assert_true(apart > 0.01); /* the wires matter */

    for (int k = 0; k < nb; k++)
      mho_free(g[k]);
    mho_free(tile);
    mho_wired_free(wired);
    drop(&s);
  }
}

static void test_wires(void **state) {
  each(wires);
}

/* Half-selected cells of the banks that are pulsed feel it, and no bank that is written once. */
static void disturbs(const mho_mapping *m) {
  subject s =
      make(m, "", "update: {scheme: pulses}\narray: {write: {select: half}, wire: {tile: 8}}\n");
  mho_crossbar *x = s.x;
  float before[MHO_BANKS_MAX][N];
  mho_real w[N];
  mho_disturb *d;
  mho_pulse_counts counts = {0};
  int16_t count[1] = {2};
  const mho_device_model *model = (const mho_device_model *)s.e->device.entry;
  spread_out(m, w);
  mho_crossbar_set(x, 0, N, w);
  OK(mho_disturb_new(1, &x, &s.e->array_config, model, s.e->device.params, &s.e->device_config,
                     NULL, &d, &ei));
  mho_disturb_refresh(d);
  for (int k = 0; k < x->n_banks; k++)
    memcpy(before[k], x->bank[k]->g, sizeof before[k]);
  mho_crossbar_change(x, 2 * COLS + 3, 1, count, 1, &counts);
  mho_disturb_apply(d);

  int felt = 0;
  for (int k = 0; k < x->n_banks; k++)
    for (int i = 0; i < N; i++) {
      bool moved = x->bank[k]->g[i] != before[k][i], written = i == 2 * COLS + 3;
      bool beside = i / COLS < 8 && i % COLS < 8 && (i / COLS == 2 || i % COLS == 3);
      assert_true(!moved || mho_crossbar_writes(x, k));
      assert_true(!moved || written || beside);
      felt += moved && !written;
    }
  assert_true(felt > 0 && felt <= 14 * mho_crossbar_pulsed(x));
  for (size_t i = 0; i < N; i++)
    NEAR(mho_crossbar_matrix(x)[i], weight_of(x, i, false), 0, 1e-5);
  mho_disturb_free(d);
  drop(&s);
}

static void test_disturbs(void **state) {
  each(disturbs);
}

/* ---------------------------------------------------------------- ngspice */

static void take(void *user, const mho_cosim_row *row, const double *core, const double *spice) {
  if (!row->pass)
    fail_msg("%s: %g at %s", row->quantity, row->max_rel, row->place);
  *(int *)user += 1;
}

/* Crossbars with wires, drift and an I-V law, both ways, and what the netlist itself expects. */
static void cosimulate(mho_spice *spice, const mho_mapping *m, const char *device,
                       const char *rest) {
  subject s = make(m, device, rest);
  mho_real w[N];
  mho_wired *wired = NULL;
  int done = 0;
  _Alignas(16) unsigned char params[MHO_CHOICE_MAX];
  spread_out(m, w);
  mho_crossbar_set(s.x, 0, N, w);
  OK(mho_crossbar_age(s.x, 1000, &ei));
  OK(mho_crossbar_read_ideally(s.x, &s.e->array_config, params, &ei));
  if (s.e->array_config.r_word > 0) {
    OK(mho_wired_new(1, &s.x, &s.e->array_config, &s.e->device_config, NULL, &wired, &ei));
    mho_wired_refresh(wired, 0, true);
  }
  for (int transposed = 0; transposed < 2; transposed++)
    OK(mho_cosim_reads(spice, s.x, &s.e->device_config, &s.e->array_config, transposed, 3, take,
                       &done, &ei));
  assert_int_equal(done, 2);
  mho_wired_free(wired);
  drop(&s);
}

static void test_circuits(void **state) {
  static const char *const cases[][2] = {
      {"", ""},
      {", drift: {law: power, nu: 0.1, nu_spread: 0.02}, open: 0.05",
       "array: {wire: {r_word: 2 ohm, r_bit: 3 ohm, tile: [10, 9]}}\n"},
      {", iv: {law: sinh, b: 3}", "array: {model: periphery}\n"}};
  mho_spice *s;
  if (mho_spice_open(&s, &ei))
    skip();
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_MAPPING); i++)
    for (int k = 0; k < MHO_COUNT(cases); k++)
      cosimulate(s, (const mho_mapping *)mho_registry_at(registry, MHO_KIND_MAPPING, i),
                 cases[k][0], cases[k][1]);
  mho_spice_close(s);
}

#define SMALL                                                                                      \
  "dataset: {name: digits, train: 200, test: 50}\nfeedback: {scale: 0.1}\n"                        \
  "rule: {name: ep, nudge: 0.1}\ntrain: {epochs: 1, batch: 50, seed: 3}\n"

/* Whole networks, with a line and an amplifier for every bank. */
static void test_network_circuits(void **state) {
  mho_spice *s;
  if (mho_spice_open(&s, &ei))
    skip();
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_MAPPING); i++) {
    char yaml[512];
    int done = 0;
    snprintf(yaml, sizeof yaml,
             SMALL "network: {hidden: [8, 6]}\ndevice: {model: linear, mapping: %s}\n",
             mho_registry_at(registry, MHO_KIND_MAPPING, i)->id);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    const mho_dataset *d = mho_trainer_dataset(t);
    mho_real x[2 * 64];
    uint8_t label[2];
    assert_int_equal(d->features, 64);
    mho_images_batch(d, &d->train, NULL, 0, 2, x, label);
    mho_cosim_network_options o = {
        .net = mho_trainer_network(t),
        .settler = (const mho_settler *)mho_registry_find(registry, MHO_KIND_SETTLER, "sweep"),
        .dynamics = (const mho_dynamics *)e->dynamics.entry,
        .device = &e->device_config,
        .samples = 2,
        .x = x,
        .targets = {.label = label},
        .nudge = 0.1,
        .tolerance = 5e-6, /* floats of several banks add up */
        .both_inputs = true};
    OK(mho_cosim_network(s, &o, take, &done, &ei));
    assert_true(done > 5);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }

  mho_spice_close(s);
}

/* The array model and the settler of ngspice, whose circuits stay loaded while weights change. */
static void test_loaded_circuits(void **state) {
  static const char *const models[] = {"array: {model: spice}\n", "settle: {method: spice}\n"};
  mho_spice *s;
  if (mho_spice_open(&s, &ei))
    skip();
  mho_spice_close(s);

  for (int k = 0; k < 2; k++) {
    mho_real *w[2];
    size_t n = 0;
    for (int spice = 0; spice < 2; spice++) {
      char yaml[512];
      mho_epoch_row row;
      snprintf(yaml, sizeof yaml,
               "dataset: {name: digits, train: 20, test: 10}\nnetwork: {hidden: [6, 5]}\n"
               "feedback: {scale: 0.1}\ntrain: {batch: 10, seed: 3}\nupdate: {optimizer: sgd, "
               "rate: 0.1}\ndevice: {model: linear, mapping: test_three}\n%s",
               spice ? models[k] : "settle: {method: synchronous, free: 60, nudged: 60}\n");
      mho_experiment *e = experiment(yaml);
      mho_trainer *t = trainer(e);
      OK(mho_trainer_epoch(t, &row, &ei));
      const mho_crossbar *x = mho_trainer_network(t)->connection[1].xb;
      n = mho_crossbar_cells(x);
      w[spice] = mho_alloc(n, sizeof **w);
      memcpy(w[spice], mho__crossbar_programmed(x), n * sizeof **w);
      mho_trainer_free(t);
      mho_experiment_free(e);
    }
    for (size_t i = 0; i < n; i++)
      NEAR(w[1][i], w[0][i], 0, 2e-3);
    mho_free(w[0]);
    mho_free(w[1]);
  }
}

/* ---------------------------------------------------------------- three banks in training */

static const char three[] =
    "network: {hidden: [24]}\ndataset: {train: 600, test: 200}\ntrain: {batch: 50}\n"
    "device: {model: soft_bounds, mapping: test_three, cycle_to_cycle: 0.3,\n"
    "  variation: {step: 0.2}, "
    "stuck_on: 0.01, drift: {law: power, nu: 0.05}, write_noise: 0.002}\n"
    "update: {scheme: pulses, optimizer: momentum, rate: 0.05}\n"
    "array: {model: periphery, read_noise: 0.005, adc_bits: 8, write: {select: half}, wire: "
    "{r_word: 1 ohm, r_bit: 1 ohm, tile: 32, tolerance: 1e-5, negative: neighbour}}\n";

static mho_blob train(const mho_experiment *e, int threads, int epochs, const mho_blob *from,
                      mho_epoch_row *row) {
  mho_context ctx = {0};
  mho_trainer *t;
  mho_checkpoint_row c;
  OK(mho_pool_new(threads, &ctx.pool, &ei));
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  if (from)
    OK(mho_trainer_load(t, from, &ei));
  for (int i = 0; i < epochs; i++)
    OK(mho_trainer_epoch(t, row, &ei));
  OK(mho_trainer_save(t, &c, &ei));
  mho_trainer_free(t);
  mho_pool_free(ctx.pool);
  return c.blob;
}

/* Through wires, noise, converters, half-selected cells and carries; resumed bit for bit on any
 * number of threads. */
static void test_training(void **state) {
  enum { HEADER = 136 };
  mho_experiment *e = experiment(three);
  mho_epoch_row whole, last;
  mho_blob one = train(e, 1, 3, NULL, &whole), first = train(e, 2, 1, NULL, &last);
  mho_blob resumed = train(e, 2, 2, &first, &last);
  assert_int_equal(one.size, resumed.size);
  assert_memory_equal((char *)one.data + HEADER, (char *)resumed.data + HEADER, one.size - HEADER);
  assert_true(whole.train_acc > 0.6); /* of ten classes */

  /* and time passes: every weight is what its banks have drifted to */
  mho_trainer *t;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  OK(mho_trainer_load(t, &one, &ei));
  OK(mho_trainer_age(t, 1e4, &ei));
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  for (size_t i = 0; i < mho_crossbar_cells(x); i += 7)
    NEAR(mho__crossbar_programmed(x)[i], weight_of(x, i, true), 0, 1e-5);
  mho_trainer_free(t);

  mho_blob *all[] = {&one, &first, &resumed};
  for (int k = 0; k < 3; k++)
    mho_blob_free(all[k]);
  mho_experiment_free(e);
}

/* Exported, every bank in a file of its own, and brought back: on the same device the conductances,
 * on another one the weights. */
static void test_export(void **state) {
  char folder[] = "/tmp/mho-banks-XXXXXX", path[256], yaml[1024];
  mho_experiment *e = experiment("network: {hidden: [12]}\ntrain: {batch: 100}\ndevice: {model: "
                                 "linear, mapping: test_three, stuck_on: 0.02}\n");
  mho_trainer *t = trainer(e), *back;
  mho_epoch_row row;
  assert_non_null(mkdtemp(folder));
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_weights_write(t, folder, false, &ei));
  static const char *const names[] = {"w", "g_coarse", "g_fine", "g_fixed"};
  for (int k = 0; k < 4; k++) {
    snprintf(path, sizeof path, "%s/x-h1.%s.npy", folder, names[k]);
    assert_int_equal(access(path, R_OK), 0);
  }

  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  static const char *const devices[] = {"{model: linear, mapping: test_three, stuck_on: 0.02}",
                                        "{model: linear, weight_range: 8}",
                                        "{model: linear, mapping: reference, weight_range: 8}"};
  for (int k = 0; k < 3; k++) {
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [12]}\ntrain: {batch: 100, from: %s}\ndevice: %s\n", folder,
             devices[k]);
    mho_experiment *other = experiment(yaml);
    back = trainer(other);
    OK(mho_trainer_from(back, NULL, &ei));
    const mho_crossbar *y = mho_trainer_network(back)->connection[0].xb;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++)
      NEAR(mho__crossbar_programmed(y)[i], mho__crossbar_programmed(x)[i], 0, 2e-6);
    for (int b = 0; b < x->n_banks; b++)
      if (k == 0)
        for (size_t i = 0; i < mho_crossbar_cells(x); i++)
          NEAR(y->bank[b]->g[i], x->bank[b]->g[i], 0, 1e-6);
    mho_trainer_free(back);
    mho_experiment_free(other);
  }

  /* one bank's file is gone */
  snprintf(path, sizeof path, "%s/x-h1.g_fine.npy", folder);
  assert_int_equal(remove(path), 0);
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [12]}\ntrain: {batch: 100, from: %s}\ndevice: %s\n", folder,
           devices[0]);
  mho_experiment *other = experiment(yaml);
  back = trainer(other);
  assert_int_equal(mho_trainer_from(back, NULL, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "x-h1.g_fine.npy"));
  mho_trainer_free(back);
  mho_experiment_free(other);

  for (int c = 0; c < 2; c++)
    for (int k = 0; k < 4; k++) {
      snprintf(path, sizeof path, "%s/%s.%s.npy", folder, c ? "h1-out" : "x-h1", names[k]);
      remove(path);
    }
  snprintf(path, sizeof path, "%s/weights.json", folder);
  remove(path);
  assert_int_equal(rmdir(folder), 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* The netlist of a trained crossbar names every device and adds the currents with the gains. */
static void test_netlist(void **state) {
  mho_experiment *e = experiment(SMALL "network: {hidden: [6]}\ndevice: {model: linear, mapping: "
                                       "test_three}\n");
  mho_trainer *t = trainer(e);
  mho_trained_netlist o = {.connection = &mho_trainer_network(t)->connection[1], .of = "test"};
  char *text;
  OK(mho_trainer_netlist_crossbar(t, &o, &text, &ei));
  static const char *const lines[] = {"a coarse, a fine and a fixed device at each crossing",
                                      "\nRc_5_9 w5 c9 ",
                                      "\nRh_0_0 w0 h0 ",
                                      "\nRr_2_3 w2 r3 ",
                                      "let out0 = i(Vc0) + 0.25*i(Vh0) - 1.25*i(Vr0)\n",
                                      "(Gc[i][j] + 0.25*Gh[i][j] - 1.25*Gr[i][j])"};
  for (int i = 0; i < MHO_COUNT(lines); i++)
    if (!strstr(text, lines[i]))
      fail_msg("no '%s' in\n%.1500s", lines[i], text);
  mho_free(text);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- positive weights */

/* Drawn weights of a mapping without negative ones are positive, and it learns. */
static void test_positive(void **state) {
  mho_experiment *e = experiment("network: {hidden: [24]}\ndataset: {train: 600, test: 200}\n"
                                 "train: {batch: 50}\ndevice: {model: linear, mapping: single}\n"
                                 "update: {rate: 3e-3}\n");
  mho_trainer *t = trainer(e);
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  mho_epoch_row row;
  double mean = 0;
  for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
    assert_true(mho__crossbar_programmed(x)[i] >= 0);
    mean += (double)mho__crossbar_programmed(x)[i] / (double)mho_crossbar_cells(x);
  }
  NEAR(mean, mho_crossbar_w_max(x) / 3 / 2, 0.05, 0); /* uniform from 0 to a third of w_max */
  for (int i = 0; i < 8; i++)
    OK(mho_trainer_epoch(t, &row, &ei));
  assert_true(row.train_acc > 0.5);
  for (size_t i = 0; i < mho_crossbar_cells(x); i++)
    assert_true(mho__crossbar_programmed(x)[i] >= 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_bad_tables),
      cmocka_unit_test(test_writes),
      cmocka_unit_test(test_clips),
      cmocka_unit_test(test_shares),
      cmocka_unit_test(test_pulses),
      cmocka_unit_test(test_drift),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_wires),
      cmocka_unit_test(test_disturbs),
      cmocka_unit_test(test_circuits),
      cmocka_unit_test(test_network_circuits),
      cmocka_unit_test(test_loaded_circuits),
      cmocka_unit_test(test_training),
      cmocka_unit_test(test_export),
      cmocka_unit_test(test_netlist),
      cmocka_unit_test(test_positive),
  };
  return cmocka_run_group_tests(tests, setup, teardown_registry);
}
