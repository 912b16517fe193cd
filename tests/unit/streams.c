/* Addresses of random numbers: no two purposes share one, and no config leaves the fields of its
 * own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "device/cells.h"
#include "mho/experiment.h"
#include "mho/model/check.h"
#include "test.h"

/* ---------------------------------------------------------------- the table */

/* Which seed a purpose has, and of which schemes, of which a run has one, it is. */
enum { SEED_RUN, SEED_DESIGN, SEED_ZERO, SEED_ONE, SEED_SAMPLE };
enum { ANY, PLAIN, VERIFY, STOCHASTIC, TIKI_TAKA, SCHEMES };

/* Fields of an address: the bits outside `free` are a tag, those inside it count, from `first` to
 * `last`. */
typedef struct field {
  uint64_t tag, free, first, last;
} field;

typedef struct purpose {
  const char *name;
  int seed, scheme;
  field stream, step;
} purpose;

#define BITS(n) (((uint64_t)1 << (n)) - 1)
#define BIT(n)  ((uint64_t)1 << (n))
#define USE(u)  ((uint64_t)MHO_RNG_##u << 24)
/* A field that counts in its lowest n bits, one that counts in some bits up to `last`, and one that
 * does not count. */
#define COUNTS(tag, n)                                                                             \
  { tag, BITS(n), tag, (tag) | BITS(n) }
#define COUNTS_IN(tag, f, last)                                                                    \
  { tag, f, tag, (tag) | (last) }
#define FIXED(tag)                                                                                 \
  { tag, 0, tag, tag }
/* Streams of crossbars: high(bank)[3] << 21 | connection[12] << 1 | low(bank)[1]. */
#define BANKS          (BIT(21) | BIT(22) | BIT(23) | BITS(13))
#define CROSSBARS(use) COUNTS_IN(USE(use), BANKS, BANKS)

enum {
  WEIGHTS,
  GRAPH,
  CHIP,
  MISMATCH,
  SYMMETRY,
  NEURONS,
  COPIES,
  SHUFFLE,
  CUT,
  AUGMENTED,
  SPLIT,
  AXIS,
  PULSE_PLAIN,
  PULSE_INITIAL,
  PULSE_VERIFY,
  PULSE_VERIFY_INITIAL,
  PULSE_SLOT,
  PULSE_TRANSFER,
  PULSE_REFRESH,
  PULSE_CARRY,
  PULSE_TRIAL,
  ROUND_PLAIN,
  ROUND_INITIAL,
  ROUND_VERIFY,
  ROUND_VERIFY_INITIAL,
  ROUND_SLOT,
  ROUND_TRANSFER,
  WRITE_VERIFY,
  WRITE_VERIFY_INITIAL,
  WRITE_REFRESH,
  WRITE_CARRY,
  WRITE_ADD,
  WRITE_SET,
  READ_CELLS,
  READ_INPUT,
  READ_STATE,
  READ_OUTPUT,
  EVALUATE_CELLS,
  EVALUATE_INPUT,
  EVALUATE_STATE,
  EVALUATE_OUTPUT,
  STATES,
  EVALUATE_STATES,
  CREDITS,
  EVALUATE_CREDITS,
  CONTROLS,
  EVALUATE_CONTROLS,
  NODES,
  EVALUATE_NODES,
  SPIKES,
  CONTRASTS,
  THRESHOLDS,
  PERTURB_LINES,
  PERTURB_CELLS,
  PERTURB_NEURONS,
  KRYLOV,
  PERTURBATION,
  UNUSED,
  STIMULUS,
  DIRECTIONS,
  PURPOSES
};

enum { KIND_BITS = 0xff8000 | 0x1fff }; /* repeat and connection, around the kind */
#define READS(kind)                                                                                \
  COUNTS_IN(USE(READ) | (uint64_t)(kind) << 13, KIND_BITS, (uint64_t)510 << 15 | BITS(13))

static const purpose table[PURPOSES] = {
    [WEIGHTS] = {"weights", SEED_RUN, ANY, COUNTS(USE(WEIGHTS), 12), FIXED(0)},
    [GRAPH] = {"pairs of agt", SEED_RUN, ANY, FIXED(USE(WEIGHTS) | 0xfffffe), FIXED(0)},

    [CHIP] = {"cells of the chip", SEED_RUN, ANY, CROSSBARS(CHIP), COUNTS(0, 5)},
    [MISMATCH] = {"mismatch", SEED_RUN, ANY, COUNTS(USE(CHIP) | BIT(20), 15), FIXED(0)},
    [SYMMETRY] = {"symmetry points", SEED_RUN, TIKI_TAKA, COUNTS(USE(CHIP) | BIT(20), 15),
                  FIXED(MHO_DRAW_SYMMETRY)},
    [NEURONS] = {"neurons", SEED_RUN, ANY, COUNTS(USE(CHIP) | 0xf00000, 11), FIXED(0)},
    [COPIES] = {"second circuits", SEED_RUN, ANY, COUNTS(USE(CHIP) | 0xf01000, 11), FIXED(0)},

    [SHUFFLE] = {"shuffle", SEED_RUN, ANY, FIXED(USE(ORDER)), COUNTS(0, 20)},
    [CUT] = {"cut", SEED_RUN, ANY, FIXED(USE(ORDER) | 1), FIXED(0)},
    [AUGMENTED] = {"augmented", SEED_RUN, ANY, FIXED(USE(ORDER) | 2), COUNTS(0, 20)},
    [SPLIT] = {"split of a table", SEED_ZERO, ANY, FIXED(USE(ORDER) | 3), FIXED(0)},
    [AXIS] = {"axis of a study", SEED_DESIGN, ANY, COUNTS(USE(ORDER), 6), COUNTS(0, 2)},

    [PULSE_PLAIN] = {"pulses", SEED_RUN, PLAIN, CROSSBARS(PULSE), COUNTS(0, 52)},
    [PULSE_INITIAL] = {"initial pulses", SEED_RUN, PLAIN, CROSSBARS(PULSE), COUNTS(BIT(52), 26)},
    [PULSE_VERIFY] = {"verified pulses", SEED_RUN, VERIFY, CROSSBARS(PULSE), COUNTS(0, 56)},
    [PULSE_VERIFY_INITIAL] = {"initial verified pulses", SEED_RUN, VERIFY, CROSSBARS(PULSE),
                              COUNTS(BIT(58), 32)},
    [PULSE_SLOT] = {"coincidences", SEED_RUN, STOCHASTIC, CROSSBARS(PULSE), COUNTS(0, 56)},
    [PULSE_TRANSFER] = {"transfers", SEED_RUN, TIKI_TAKA, CROSSBARS(PULSE), COUNTS(0, 52)},
    [PULSE_REFRESH] = {"refresh", SEED_RUN, ANY, CROSSBARS(PULSE), COUNTS(BIT(56), 56)},
    [PULSE_CARRY] = {"carries of initial weights", SEED_RUN, ANY, CROSSBARS(PULSE),
                     COUNTS(BIT(57), 38)},
    [PULSE_TRIAL] = {"pulses of a trial", SEED_RUN, ANY, CROSSBARS(PULSE), COUNTS(BIT(62), 56)},

    [ROUND_PLAIN] = {"rounding", SEED_RUN, PLAIN, CROSSBARS(ROUND), COUNTS(0, 40)},
    [ROUND_INITIAL] = {"initial rounding", SEED_RUN, PLAIN, CROSSBARS(ROUND), COUNTS(BIT(40), 14)},
    [ROUND_VERIFY] = {"verifying reads", SEED_RUN, VERIFY, CROSSBARS(ROUND), COUNTS(0, 44)},
    [ROUND_VERIFY_INITIAL] = {"initial verifying reads", SEED_RUN, VERIFY, CROSSBARS(ROUND),
                              COUNTS(BIT(46), 20)},
    [ROUND_SLOT] = {"pulse trains", SEED_RUN, STOCHASTIC, CROSSBARS(ROUND), COUNTS(0, 44)},
    [ROUND_TRANSFER] = {"what transfers draw", SEED_RUN, TIKI_TAKA, CROSSBARS(ROUND),
                        COUNTS(0, 44)},

    [WRITE_VERIFY] = {"verified writes", SEED_RUN, VERIFY, CROSSBARS(WRITE), COUNTS(0, 44)},
    [WRITE_VERIFY_INITIAL] = {"initial verified writes", SEED_RUN, VERIFY, CROSSBARS(WRITE),
                              COUNTS(BIT(46), 20)},
    [WRITE_REFRESH] = {"refreshed writes", SEED_RUN, ANY, CROSSBARS(WRITE), COUNTS(BIT(44), 44)},
    [WRITE_CARRY] = {"carried initial weights", SEED_RUN, ANY, CROSSBARS(WRITE),
                     COUNTS(BIT(45), 26)},
    [WRITE_ADD] = {"exact changes", SEED_RUN, ANY, CROSSBARS(WRITE), COUNTS(BIT(62), 62)},
    [WRITE_SET] = {"exact weights", SEED_RUN, ANY, CROSSBARS(WRITE), COUNTS(BIT(63), 63)},

    [READ_CELLS] = {"cells of a read", SEED_RUN, ANY, READS(MHO_NOISE_CELLS), COUNTS(0, 63)},
    [READ_INPUT] = {"drivers of a read", SEED_RUN, ANY, READS(MHO_NOISE_INPUT), COUNTS(0, 63)},
    [READ_STATE] = {"measured states", SEED_RUN, ANY, READS(MHO_NOISE_STATE), COUNTS(0, 63)},
    [READ_OUTPUT] = {"amplifiers", SEED_RUN, ANY, READS(MHO_NOISE_OUTPUT), COUNTS(0, 63)},
    [EVALUATE_CELLS] = {"cells, evaluated", SEED_RUN, ANY, READS(MHO_NOISE_CELLS),
                        COUNTS(BIT(63), 63)},
    [EVALUATE_INPUT] = {"drivers, evaluated", SEED_RUN, ANY, READS(MHO_NOISE_INPUT),
                        COUNTS(BIT(63), 63)},
    [EVALUATE_STATE] = {"measured states, evaluated", SEED_RUN, ANY, READS(MHO_NOISE_STATE),
                        COUNTS(BIT(63), 63)},
    [EVALUATE_OUTPUT] = {"amplifiers, evaluated", SEED_RUN, ANY, READS(MHO_NOISE_OUTPUT),
                         COUNTS(BIT(63), 63)},
    [STATES] = {"noise of states", SEED_RUN, ANY, COUNTS(USE(READ) | 0xfffffc, 2), COUNTS(0, 63)},
    [EVALUATE_STATES] = {"noise of states, evaluated", SEED_RUN, ANY,
                         COUNTS(USE(READ) | 0xfffffc, 2), COUNTS(BIT(63), 63)},

    [CREDITS] = {"noise of credits", SEED_RUN, ANY, COUNTS(USE(READ) | 511 << 15, 8),
                 COUNTS(0, 63)},
    [EVALUATE_CREDITS] = {"noise of credits, looked at", SEED_RUN, ANY,
                          COUNTS(USE(READ) | 511 << 15, 8), COUNTS(BIT(63), 63)},

    [CONTROLS] = {"noise of controls", SEED_RUN, ANY, COUNTS(USE(READ) | 511 << 15 | 1 << 8, 8),
                  COUNTS(0, 63)},
    [EVALUATE_CONTROLS] = {"noise of controls, looked at", SEED_RUN, ANY,
                           COUNTS(USE(READ) | 511 << 15 | 1 << 8, 8), COUNTS(BIT(63), 63)},

    [NODES] = {"noise of nodes", SEED_RUN, ANY, COUNTS(USE(READ) | 511 << 15 | 2 << 8, 8),
               COUNTS(0, 63)},
    [EVALUATE_NODES] = {"noise of nodes, looked at", SEED_RUN, ANY,
                        COUNTS(USE(READ) | 511 << 15 | 2 << 8, 8), COUNTS(BIT(63), 63)},

    [SPIKES] =
        {"spikes of inputs", SEED_RUN, ANY, COUNTS(USE(SPIKE), 8), {0, UINT64_MAX, 0, UINT64_MAX}},
    [CONTRASTS] = {"what is no sample", SEED_RUN, ANY,
                   COUNTS_IN(USE(SPIKE) | 1 << 8, BITS(2), BITS(2)), COUNTS(0, 42)},
    [THRESHOLDS] = {"thresholds", SEED_RUN, ANY, COUNTS(USE(CHIP) | 0xf00000, 11),
                    FIXED(MHO_DRAW_THRESHOLD)},

    [PERTURB_LINES] = {"perturbed lines", SEED_RUN, ANY,
                       COUNTS_IN(USE(PERTURB), BITS(12) << 2 | MHO_PERTURB_COLS,
                                 BITS(12) << 2 | MHO_PERTURB_COLS),
                       COUNTS(0, 54)},
    [PERTURB_CELLS] = {"perturbed cells", SEED_RUN, ANY,
                       COUNTS_IN(USE(PERTURB) | MHO_PERTURB_CELLS, BITS(12) << 2, BITS(12) << 2),
                       COUNTS(0, 54)},
    [PERTURB_NEURONS] = {"perturbed neurons", SEED_RUN, ANY,
                         COUNTS_IN(USE(PERTURB) | MHO_PERTURB_NEURONS, BITS(8) << 2, BITS(8) << 2),
                         COUNTS(0, 54)},

    [KRYLOV] = {"start of a Krylov space", SEED_ONE, ANY, FIXED(USE(TEST)), FIXED(0)},
    [PERTURBATION] = {"perturbed orbits",
                      SEED_ZERO,
                      ANY,
                      {USE(TEST), BITS(8), USE(TEST) | 1, USE(TEST) | 128},
                      COUNTS(0, 32)},
    [UNUSED] = {"cells without noise", SEED_ZERO, ANY, FIXED(USE(TEST)), COUNTS(0, 63)},
    [STIMULUS] = {"inputs to compare with ngspice", SEED_ONE, ANY, COUNTS(USE(TEST), 1), FIXED(0)},
    [DIRECTIONS] = {"pulses to compare with ngspice", SEED_SAMPLE, ANY, FIXED(USE(TEST)), FIXED(0)},
};

/* Pairs that do share addresses, of numbers that never meet in one result: a study's samples where
 * design_seed is also a run's seeds.order, and what commands that compare with ngspice or look at
 * an orbit draw. */
static const int known[][2] = {{SHUFFLE, AXIS},        {CUT, AXIS},         {AUGMENTED, AXIS},
                               {SPLIT, AXIS},          {KRYLOV, STIMULUS},  {KRYLOV, DIRECTIONS},
                               {STIMULUS, DIRECTIONS}, {UNUSED, DIRECTIONS}};

static bool is_known(int a, int b) {
  for (int i = 0; i < MHO_COUNT(known); i++)
    if (known[i][0] == a && known[i][1] == b)
      return true;
  return false;
}

/* Whether two purposes can occur in one run: schemes exclude each other. */
static bool meet(const purpose *a, const purpose *b) {
  return a->scheme == ANY || b->scheme == ANY || a->scheme == b->scheme;
}

/* Seeds that are constants differ; those that a user gives may be equal to any other. */
static bool same_seed(const purpose *a, const purpose *b) {
  bool fixed = (a->seed == SEED_ZERO && b->seed == SEED_ONE) ||
               (a->seed == SEED_ONE && b->seed == SEED_ZERO);
  return !fixed;
}

static bool apart(field a, field b) {
  bool tags = (a.tag ^ b.tag) & ~a.free & ~b.free;
  return tags || a.last < b.first || b.last < a.first;
}

static void test_purposes_are_apart(void **state) {
  for (int a = 0; a < PURPOSES; a++)
    for (int b = a + 1; b < PURPOSES; b++) {
      const purpose *p = &table[a], *q = &table[b];
      bool share =
          meet(p, q) && same_seed(p, q) && !apart(p->stream, q->stream) && !apart(p->step, q->step);
      if (share != is_known(a, b))
        fail_msg("%s and %s %s addresses", p->name, q->name, share ? "share" : "no longer share");
    }
}

/* ---------------------------------------------------------------- the extremes of every field */

typedef struct address {
  int purpose;
  uint64_t seed, step;
  uint32_t stream;
} address;

enum { ADDRESSES_MAX = 1 << 20 };
static address *list;
static int listed;

static void add(int which, mho_rng rng, uint64_t step) {
  assert_true(listed < ADDRESSES_MAX);
  list[listed++] = (address){which, rng.seed, step, rng.stream};
}

enum { SEED = 7 };
/* Updates of a run, from 1; they and its samples are the largest that keep a refresh and
 * coincidences apart. */
static const uint64_t updates[] = {1, 2, BITS(32) - 1, BITS(32)};
static const uint64_t samples[] = {0, 1, BITS(35) - 1, BITS(35)};
static const int terms[] = {0, 1, MHO_TERMS_MAX - 2, MHO_TERMS_MAX - 1};
static const int connections[] = {0, 1, MHO_STREAM_CONNECTIONS - 2, MHO_STREAM_CONNECTIONS - 1};
static const int layers[] = {0, 1, MHO_LAYERS_MAX - 2, MHO_LAYERS_MAX - 1};
static const int epochs[] = {0, 1, 999999, 1000000};
static const int ranks[] = {0, 1, 4094, 4095};
static const int rounds[] = {0, 1, MHO_STREAM_ROUNDS - 2, MHO_STREAM_ROUNDS - 1};
static const int slots[] = {0, 1, MHO_STREAM_SLOTS - 2, MHO_STREAM_SLOTS - 1};
static const int turns[] = {0, 1, MHO_STREAM_TURNS - 2, MHO_STREAM_TURNS - 1};
static const int initial[] = {0, 1, 9998, 9999};
static const int repeats[] = {0, 1, MHO_STREAM_REPEATS - 2, MHO_STREAM_REPEATS - 1};
static const int steps[] = {0, 1, 65534, MHO_STEP_READ_OUT};
static const int trials[] = {0, 1, MHO_STREAM_TRIALS - 2, MHO_STREAM_TRIALS - 1};
static const int ode_steps[] = {0, 1, MHO_STREAM_ODE_STEPS - 2, MHO_STREAM_ODE_STEPS - 1};
static const int phases[] = {0, 1, 4, MHO_STREAM_PHASES - 1};
#define EACH(i) for (int i = 0; i < 4; i++)

static void add_chip_and_order(void) {
  EACH(c) {
    add(WEIGHTS, mho__stream_weights(SEED, connections[c]), 0);
    for (uint32_t bank = 0; bank < MHO_BANKS_MAX; bank++)
      for (int draw = 0; draw <= MHO_DRAW_ZERO; draw++)
        add(CHIP, mho__stream_chip(SEED, (uint32_t)connections[c], bank), (uint64_t)draw);
    for (int kind = 0; kind < 8; kind++)
      add(MISMATCH, mho__stream_mismatch(SEED, (uint32_t)connections[c], kind), 0);
  }
  add(GRAPH, mho__stream_graph(SEED), 0);
  EACH(l)
  for (int quantity = 0; quantity < 5; quantity++)
    add(NEURONS, mho__stream_neurons(SEED, layers[l], 5, quantity), 0);
  EACH(l)
  add(THRESHOLDS, mho__stream_neurons(SEED, layers[l], 5, 0), MHO_DRAW_THRESHOLD);

  EACH(e) {
    add(SHUFFLE, mho__stream_shuffle(SEED), (uint64_t)epochs[e]);
    add(AUGMENTED, mho__stream_augmented(SEED), (uint64_t)epochs[e]);
  }
  add(CUT, mho__stream_cut(SEED), 0);
  add(SPLIT, mho__stream_split(), 0);
}

/* One step of programming: the pulses of all ranks and what is left when they have been given. */
static void add_pulses(int which, mho_rng rng, uint64_t programming) {
  for (int r = 0; r < 3; r++)
    add(which, rng, mho__step_pulse(programming, ranks[r]));
  add(which, rng, mho__step_show(programming));
}

static void add_plain(mho_rng pulse, mho_rng round) {
  EACH(u) {
    add_pulses(PULSE_PLAIN, pulse, updates[u]);
    add(ROUND_PLAIN, round, updates[u]);
    uint64_t first = mho__update_initial((uint64_t)initial[u]);
    add_pulses(PULSE_INITIAL, pulse, first);
    add(ROUND_INITIAL, round, first);
    add(WRITE_ADD, mho__stream_write(pulse), mho__step_add(updates[u]));
    add(WRITE_ADD, mho__stream_write(pulse), mho__step_add(first));
  }
}

static void add_verified(mho_rng pulse, mho_rng round) {
  EACH(u)
  EACH(r) {
    uint64_t step = mho__step_verify(updates[u]) + (uint64_t)rounds[r];
    uint64_t first =
        mho__step_verify(mho__update_initial((uint64_t)initial[u])) + (uint64_t)rounds[r];
    add_pulses(PULSE_VERIFY, pulse, step);
    add(ROUND_VERIFY, round, step);
    add(WRITE_VERIFY, mho__stream_write(pulse), step);
    add_pulses(PULSE_VERIFY_INITIAL, pulse, first);
    add(ROUND_VERIFY_INITIAL, round, first);
    add(WRITE_VERIFY_INITIAL, mho__stream_write(pulse), first);
  }
}

static void add_coincidences(mho_rng pulse, mho_rng round) {
  EACH(s)
  EACH(t)
  EACH(k) {
    uint64_t step = mho__step_slot(mho__sample_of_term(samples[s], terms[t]), slots[k]);
    add_pulses(PULSE_SLOT, pulse, step);
    add(ROUND_SLOT, round, step);
  }
}

/* Transfers from a fast array, whose own stream theirs is: the trains into it are of the slow one's
 * connection. */
static void add_transfers(mho_rng pulse, mho_rng round) {
  static const uint64_t events[] = {0, 1, BITS(38) - 2, BITS(38) - 1};
  EACH(v) {
    add_pulses(PULSE_TRANSFER, pulse, events[v]);
    add(WRITE_ADD, mho__stream_write(pulse), mho__step_add(events[v]));
    EACH(k)
    add(ROUND_TRANSFER, round, mho__step_transfer(events[v], slots[k]));
    for (int what = MHO_TRANSFER_CHOP_ROW; what <= MHO_TRANSFER_RESET; what++)
      add(ROUND_TRANSFER, round, mho__step_transfer(events[v], what));
  }
}

/* Of any scheme: the refresh, and weights that are written exactly. */
static void add_writes(mho_rng pulse) {
  static const uint64_t sets[] = {0, 1, BITS(62) - 1, BITS(62)};
  EACH(u)
  EACH(t) {
    uint64_t refresh = mho__step_refresh(updates[u]), set = mho__step_refresh_set(refresh);
    add_pulses(PULSE_REFRESH, pulse, refresh + (uint64_t)turns[t]);
    add_pulses(PULSE_REFRESH, pulse, set + (uint64_t)turns[t]);
    if (t == 0)
      add(WRITE_REFRESH, mho__stream_write(pulse), set);
    uint64_t carry = mho__step_carry_initial((uint64_t)initial[u]);
    add_pulses(PULSE_CARRY, pulse, carry + (uint64_t)turns[t]);
    add_pulses(PULSE_CARRY, pulse, mho__step_refresh_set(carry) + (uint64_t)turns[t]);
    add(WRITE_CARRY, mho__stream_write(pulse), mho__step_refresh_set(carry) + (uint64_t)turns[t]);
  }
  EACH(s)
  add(WRITE_SET, mho__stream_write(pulse), mho__step_set(sets[s]));
  EACH(u)
  EACH(t)
  for (int stage = 0; stage < 4; stage++)
    add_pulses(PULSE_TRIAL, pulse, mho__step_trial(updates[u], trials[t], stage));
}

static void add_programming(int scheme) {
  EACH(c)
  for (int bank = 0; bank < MHO_BANKS_MAX; bank++) {
    mho_rng pulse = mho__stream_pulse(SEED, (uint32_t)connections[c], (uint32_t)bank);
    mho_rng round = mho__stream_round_of(mho__stream_round(SEED, connections[c]), bank);
    add_writes(pulse);
    if (scheme == PLAIN)
      add_plain(pulse, round);
    else if (scheme == VERIFY)
      add_verified(pulse, round);
    else if (scheme == STOCHASTIC)
      add_coincidences(pulse, round);
    else
      add_transfers(pulse, round);
  }
}

/* The reads of an update, training (offset 0) or evaluation (offset EVALUATE_CELLS -
 * READ_CELLS). */
static void add_reads(uint64_t update, int offset) {
  static const int kinds[] = {MHO_NOISE_CELLS, MHO_NOISE_INPUT, MHO_NOISE_OUTPUT};
  static const int of_kind[] = {READ_CELLS, READ_INPUT, READ_OUTPUT};
  EACH(p)
  EACH(s) {
    int phase = phases[p];
    uint64_t step = mho__step_read(update, phase, steps[s]);
    EACH(c)
    EACH(r) {
      mho_rng reads = mho__stream_reads(SEED, (uint32_t)connections[c]);
      for (int k = 0; k < 3; k++)
        for (int transposed = 0; transposed < 2; transposed++)
          add(of_kind[k] + offset, mho__stream_read(reads, transposed, kinds[k], repeats[r]), step);
      if (c == 0 && steps[s] == MHO_STEP_READ_OUT)
        EACH(l)
      add(READ_STATE + offset, mho__stream_measured(reads, layers[l], repeats[r]), step);
    }
    add(offset ? EVALUATE_STATES : STATES, mho__stream_states_in(mho__stream_states(SEED), phase),
        mho__step_states(update, phase, ode_steps[s]));
    EACH(l) {
      add(offset ? EVALUATE_CREDITS : CREDITS, mho__stream_credits(SEED, layers[l]), step);
      add(offset ? EVALUATE_CONTROLS : CONTROLS, mho__stream_controls(SEED, layers[l]), step);
      add(offset ? EVALUATE_NODES : NODES, mho__stream_nodes(SEED, layers[l]), step);
      add(SPIKES, mho__stream_spikes(SEED, layers[l]), step);
    }
  }
}

static void add_negatives(void) {
  static const int kinds[] = {MHO_CONTRAST_LABEL, MHO_CONTRAST_PARTNER, MHO_CONTRAST_ANGLE};
  EACH(u)
  for (int k = 0; k < MHO_COUNT(kinds); k++)
    add(CONTRASTS, mho__stream_contrast(SEED, kinds[k]), updates[u]);
}

static void add_all_reads(void) {
  static const int batches[] = {0, 1, MHO_STREAM_BATCHES - 3, MHO_STREAM_BATCHES - 2};
  static const int numbers[] = {1, 2, MHO_REPETITIONS - 2, MHO_REPETITIONS - 1};
  EACH(u) {
    add_reads(updates[u], 0);
    EACH(k)
    add_reads(mho__update_repeated(updates[u], numbers[k]), 0);
  }
  add_reads(BITS(42), 0);
  EACH(e) {
    for (int validation = 0; validation < 2; validation++)
      EACH(b)
    add_reads(mho__update_evaluation(epochs[e], validation, batches[b]),
              EVALUATE_CELLS - READ_CELLS);
    add_reads(mho__update_look(epochs[e]), EVALUATE_CELLS - READ_CELLS);
    EACH(k)
    add_reads(mho__update_repeated(mho__update_look(epochs[e]), numbers[k]),
              EVALUATE_CELLS - READ_CELLS);
  }
}

/* What trials perturb: lines and cells of crossbars, neurons of layers. */
static void add_perturbations(void) {
  static const int of_kind[] = {PERTURB_LINES, PERTURB_LINES, PERTURB_CELLS};
  EACH(u)
  EACH(t) {
    uint64_t step = mho__step_perturb(updates[u], trials[t]);
    for (int kind = 0; kind < MHO_COUNT(of_kind); kind++)
      EACH(c)
    add(of_kind[kind], mho__stream_perturbed(SEED, connections[c], kind), step);
    EACH(l)
    add(PERTURB_NEURONS, mho__stream_perturbed_neurons(SEED, layers[l]), step);
  }
}

static int compare(const void *a, const void *b) {
  const address *x = a, *y = b;
  if (x->seed != y->seed)
    return x->seed < y->seed ? -1 : 1;
  if (x->stream != y->stream)
    return x->stream < y->stream ? -1 : 1;
  return (x->step > y->step) - (x->step < y->step);
}

static void check_field(const char *name, field f, uint64_t v) {
  if ((v & ~f.free) != f.tag || v < f.first || v > f.last)
    fail_msg("%s: %#llx is not of %#llx with %#llx", name, (unsigned long long)v,
             (unsigned long long)f.tag, (unsigned long long)f.free);
}

/* Every address lies where the table says, and is there once. */
static void check_list(void) {
  for (int i = 0; i < listed; i++) {
    check_field(table[list[i].purpose].name, table[list[i].purpose].stream, list[i].stream);
    check_field(table[list[i].purpose].name, table[list[i].purpose].step, list[i].step);
  }
  qsort(list, (size_t)listed, sizeof *list, compare);
  for (int i = 1; i < listed; i++)
    if (!compare(&list[i - 1], &list[i]))
      fail_msg("%s and %s draw at stream %#x, step %#llx", table[list[i - 1].purpose].name,
               table[list[i].purpose].name, (unsigned)list[i].stream,
               (unsigned long long)list[i].step);
}

static void test_extremes_are_apart(void **state) {
  list = malloc(ADDRESSES_MAX * sizeof *list);
  assert_non_null(list);
  for (int scheme = PLAIN; scheme < SCHEMES; scheme++) {
    listed = 0;
    add_chip_and_order();
    add_programming(scheme);
    if (scheme == TIKI_TAKA)
      EACH(c)
    add(SYMMETRY, mho__stream_mismatch(SEED, (uint32_t)connections[c], 0), MHO_DRAW_SYMMETRY);
    if (scheme == PLAIN) {
      add_all_reads();
      add_perturbations();
      add_negatives();
    }
    check_list();
    for (int i = 0; i < listed; i++)
      assert_true(table[list[i].purpose].scheme == ANY || table[list[i].purpose].scheme == scheme ||
                  list[i].purpose == WRITE_ADD);
  }
  free(list);
}

/* Purposes with seeds of their own: their place in the table. */
static void test_seeds_of_their_own(void **state) {
  mho_rng krylov = mho__stream_krylov(), unused = mho__stream_unused();
  check_field("krylov", table[KRYLOV].stream, krylov.stream);
  check_field("unused", table[UNUSED].stream, unused.stream);
  check_field("directions", table[DIRECTIONS].stream, mho__stream_directions(5).stream);
  for (int l = 1; l < MHO_LAYERS_MAX - 1; l++)
    check_field("perturbation", table[PERTURBATION].stream, mho__stream_perturbation(l).stream);
  for (int axis = 0; axis < 64; axis++)
    check_field("axis", table[AXIS].stream, mho__stream_axis(1, axis).stream);
  for (int t = 0; t < 2; t++)
    check_field("stimulus", table[STIMULUS].stream, mho__stream_stimulus(t).stream);
  assert_int_equal(krylov.seed, 1);
  assert_int_equal(unused.seed, 0);
}

/* Tiles have seeds of their own: no two of a line that a crossbar can have, and the first keeps the
 * run's. */
static void test_tiles(void **state) {
  mho_rng read = mho__stream_reads(SEED, 3);
  uint64_t least = UINT64_MAX;
  assert_int_equal(mho__stream_tile(read, 0).seed, SEED);
  for (int t = 1; t < 1 << 24;
       t++) { /* two tiles differ as the first and the one of their distance do */
    uint64_t distance = mho__stream_tile(read, t).seed - SEED;
    least = distance < least ? distance : least;
  }
  assert_true(least > 0);
}

/* ---------------------------------------------------------------- what a config may ask for */

static mho_registry *registry;

static int setup(void **state) {
  return mho_registry_new(&registry, NULL);
}
static int teardown(void **state) {
  mho_registry_free(registry);
  return 0;
}

static mho_err load(const char *yaml, mho_errinfo *ei) {
  mho_config *c;
  mho_experiment *e = NULL;
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, yaml, "f.yaml", ei);
  if (!err)
    err = mho_experiment_new(registry, c, false, &e, ei);
  mho_experiment_free(e);
  mho_config_free(c);
  return err;
}

/* The largest value of a key is accepted, or refused for another reason; the next one is out of
 * range. */
static void test_configs_keep_to_the_fields(void **state) {
  static const struct {
    const char *key, *good, *bad;
  } limit[] = {
      {"epochs", "train: {epochs: 1000000}", "train: {epochs: 1048576}"},
      {"rounds",
       "program: {initial: scheme, rounds: 10000}\nupdate: {scheme: pulses}\n"
       "device: {model: linear}",
       "program: {rounds: 16384}"},
      {"free", "settle: {method: sweep, free: 65535}", "settle: {method: sweep, free: 65536}"},
      {"nudged", "settle: {method: sweep, nudged: 65535}",
       "settle: {method: sweep, nudged: 65536}"},
      {"free", "settle: {method: synchronous, free: 65535}",
       "settle: {method: synchronous, free: 65536}"},
      {"average", "array: {model: periphery, average: 511}",
       "array: {model: periphery, average: 512}"},
      {"max_pulses", "update: {scheme: pulses, max_pulses: 4095}\ndevice: {model: linear}",
       "update: {scheme: pulses, max_pulses: 4096}\ndevice: {model: linear}"},
      {"max_pulses", "update: {scheme: accumulate, max_pulses: 4095}\ndevice: {model: linear}",
       "update: {scheme: accumulate, max_pulses: 4096}\ndevice: {model: linear}"},
      {"max_pulses", "update: {scheme: write_verify, max_pulses: 63}\ndevice: {model: linear}",
       "update: {scheme: write_verify, max_pulses: 64}\ndevice: {model: linear}"},
      {"tries", "update: {scheme: write_verify, tries: 63}\ndevice: {model: linear}",
       "update: {scheme: write_verify, tries: 64}\ndevice: {model: linear}"},
      {"max_length", "update: {scheme: stochastic, max_length: 31}\ndevice: {model: linear}",
       "update: {scheme: stochastic, max_length: 32}\ndevice: {model: linear}"},
      {"noise.step",
       "settle: {method: ode, read_free: 2621.43, read_nudged: 1, noise: {white: 0.1}}",
       "settle: {method: ode, read_free: 2621.45, read_nudged: 1, noise: {white: 0.1}}"},
  };
  for (int i = 0; i < MHO_COUNT(limit); i++) {
    mho_errinfo ei;
    OK(load(limit[i].good, &ei));
    assert_int_equal(load(limit[i].bad, &ei), MHO_ECONFIG);
    assert_non_null(strstr(ei.message, limit[i].key));
  }
}

static void test_sizes_keep_to_the_fields(void **state) {
  int edges = MHO_EDGES_MAX, layers_max = MHO_LAYERS_MAX;
  assert_true(edges <= MHO_STREAM_CONNECTIONS);
  assert_true(layers_max <= MHO_STREAM_LAYERS);
  assert_true(MHO_DRAW_PARAMETER + MHO_SPREAD_MAX == MHO_DRAW_STUCK && MHO_DRAW_ZERO < 32);
  assert_true(1000000 < MHO_STREAM_EPOCHS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_purposes_are_apart),
      cmocka_unit_test(test_extremes_are_apart),
      cmocka_unit_test(test_seeds_of_their_own),
      cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_configs_keep_to_the_fields),
      cmocka_unit_test(test_sizes_keep_to_the_fields),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
