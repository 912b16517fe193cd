/* A crossbar read in ngspice against its closed form, and what the session does with bad netlists.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void); /* its header does not come with gcc */
#endif

enum { ROWS = 16, COLS = 10, SKIPPED = 77 };

static const char good[] = "a good netlist\nV1 a 0 2\nR1 a b 1k\nR2 b 0 3k\n";

/* ---------------------------------------------------------------- crossbars */

typedef struct fixture {
  double g_pos[ROWS * COLS], g_neg[ROWS * COLS], v[ROWS > COLS ? ROWS : COLS], core[ROWS],
      spice[ROWS];
  mho_netlist_crossbar x;
} fixture;

/* Conductances from 1 to 100 uS, voltages of either sign to 0.2 V; every third device 0 when
 * asked for. */
static void fill(fixture *f, bool transposed, bool zeros, bool pair) {
  float u[3][ROWS * COLS];
  for (int k = 0; k < 3; k++)
    mho_rng_uniform(mho_rng_make(11, MHO_RNG_TEST, (uint32_t)k), 0, 0, ROWS * COLS, u[k]);
  for (int i = 0; i < ROWS * COLS; i++) {
    f->g_pos[i] = zeros && i % 3 == 0 ? 0 : 1e-6 * pow(100, (double)u[0][i]);
    f->g_neg[i] = zeros && i % 3 == 1 ? 0 : 1e-6 * pow(100, (double)u[1][i]);
  }

  int n_in = transposed ? COLS : ROWS, n_out = transposed ? ROWS : COLS;
  for (int i = 0; i < n_in; i++)
    f->v[i] = .4 * (double)u[2][i] - .2;
  for (int k = 0; k < n_out; k++) {
    f->core[k] = 0;
    for (int i = 0; i < n_in; i++) {
      int cell = transposed ? k * COLS + i : i * COLS + k;
      f->core[k] += (f->g_pos[cell] - (pair ? f->g_neg[cell] : 0)) * f->v[i];
    }
  }

  f->x = (mho_netlist_crossbar){.rows = ROWS,
                                .cols = COLS,
                                .n_banks = pair ? 2 : 1,
                                .g = {f->g_pos, f->g_neg},
                                .v_in = f->v,
                                .transposed = transposed};
}

static void test_currents(void **state) {
  mho_spice *s = *state;
  mho_errinfo ei;
  for (int kind = 0; kind < 8; kind++) {
    fixture f;
    fill(&f, kind & 1, kind & 2, !(kind & 4));
    char place[MHO_PLACE_MAX];
    mho_cosim_row row;
    OK(mho_cosim_crossbar(s, &f.x, 1, f.v, f.core, 1e-12, f.spice, place, &row, &ei));
    if (!row.pass)
      fail_msg("kind %d: relative difference %g at %s", kind, row.max_rel, row.place);
    assert_int_equal(row.n, kind & 1 ? ROWS : COLS);
    assert_true(row.rms <= row.max_abs && row.spice_s > 0);
    assert_string_equal(row.unit, "A");
  }
}

static void test_a_line_without_devices(void **state) {
  mho_errinfo ei;
  fixture f;
  fill(&f, false, false, true);
  memset(f.g_pos, 0, sizeof f.g_pos);
  memset(f.g_neg, 0, sizeof f.g_neg);
  memset(f.core, 0, sizeof f.core);
  char place[MHO_PLACE_MAX];
  mho_cosim_row row;
  OK(mho_cosim_crossbar(*state, &f.x, 1, f.v, f.core, 0, f.spice, place, &row, &ei));
  assert_true(row.pass && row.max_rel == 0);
}

static void test_a_difference_is_found(void **state) {
  mho_errinfo ei;
  fixture f;
  for (int transposed = 0; transposed < 2; transposed++) {
    double largest = 0;
    fill(&f, transposed, false, true);
    for (int k = 0; k < (transposed ? ROWS : COLS); k++)
      largest = fmax(largest, fabs(f.core[k]));
    f.core[3] += .01 * largest;
    char place[MHO_PLACE_MAX];
    mho_cosim_row row;
    OK(mho_cosim_crossbar(*state, &f.x, 1, f.v, f.core, .005, f.spice, place, &row, &ei));
    assert_false(row.pass);
    assert_string_equal(row.place, transposed ? "row 3" : "column 3");
    assert_true(row.max_rel > .009 && row.max_rel < .011);
    NEAR(row.rms, row.max_abs / sqrt((double)row.n), 1e-9, 0);
    f.core[3] = (double)NAN;
    assert_int_equal(mho_cosim_crossbar(*state, &f.x, 1, f.v, f.core, 1, f.spice, place, &row, &ei),
                     MHO_EINVAL);
  }
}

static void test_netlist_text(void **state) {
  const double g_pos[] = {1e-4, 0, 1.0 / 3e4, 2e-5}, g_neg[] = {0, 5e-5, 1e-5, 1e-5},
               v[] = {.1, -.2};
  const double expected[] = {1e-5, -2.5e-6};
  mho_netlist_crossbar x = {.rows = 2,
                            .cols = 2,
                            .n_banks = 2,
                            .g = {g_pos, g_neg},
                            .v_in = v,
                            .title = "two\nby two",
                            .expected = expected,
                            .tolerance = 1e-9};
  mho_errinfo ei;
  char *text;
  OK(mho_netlist_crossbar_write(&x, &text, &ei));
  static const char *lines[] = {"* two by two\n",
                                "\nVin1 w1 0 -0.2\n",
                                "\nRp_0_0 w0 p0 10000\n",
                                "\nRn_0_1 w0 n1 20000\n",
                                "\n* expect out1 = -2.5e-06 +- 1e-14 A\n",
                                "\n.save i(Vp1) i(Vn1)\n"};
  for (int i = 0; i < MHO_COUNT(lines); i++)
    if (!strstr(text, lines[i]))
      fail_msg("no '%s' in:\n%s", lines[i], text);
  assert_null(strstr(text, "Rp_0_1"));
  assert_null(strstr(text, ".control"));
  double r = strtod(strstr(text, "Rp_1_0 w1 p0 ") + 13, NULL);
  assert_true(r == 1 / g_pos[2]);
  mho_free(text);
  x.transposed = x.control = true;
  OK(mho_netlist_crossbar_write(&x, &text, &ei));
  assert_non_null(strstr(text, "\nRp_1_0 b0 p1 "));
  assert_non_null(strstr(text, "\nlet out1 = i(Vp1) - i(Vn1)\nprint out1\n"));
  mho_free(text);
}

static void test_netlist_refusals(void **state) {
  fixture f;
  mho_errinfo ei;
  char *text;
  for (int kind = 0; kind < 6; kind++) {
    fill(&f, false, false, true);
    f.g_pos[2 * COLS + 4] = kind == 0 ? -1e-6 : kind == 1 ? (double)NAN : kind == 2 ? 1e-320 : 1e-6;
    f.v[5] = kind == 3 ? (double)INFINITY : .1;
    f.x.r_bit = kind == 4 ? -1 : 0;
    f.x.rows = kind == 5 ? 0 : ROWS;
    assert_int_equal(mho_netlist_crossbar_write(&f.x, &text, &ei), MHO_EINVAL);
    assert_null(text);
    if (kind < 4) {
      assert_int_equal(ei.row, kind < 3 ? 2 : 5);
      assert_int_equal(ei.col, kind < 3 ? 4 : -1);
    }
  }
}

/* ---------------------------------------------------------------- the session */

static void check_good(mho_spice *s) {
  mho_errinfo ei;
  double v;
  OK(mho_spice_load(s, good, &ei));
  OK(mho_spice_run(s, "op", &ei));
  OK(mho_spice_vector(s, "v(b)", &v, 1, &ei));
  NEAR(v, 1.5, 1e-14, 0);
}

static void test_session(void **state) {
  mho_spice *s = *state, *second;
  mho_errinfo ei;
  double v[2];
  assert_int_equal(mho_spice_open(&second, &ei), MHO_ESPICE);
  assert_null(second);
  OK(mho_spice_load(s, good, &ei));
  assert_int_equal(mho_spice_vector(s, "v(b)", v, 1, &ei), MHO_ESPICE); /* no run yet */
  OK(mho_spice_run(s, "op", &ei));
  OK(mho_spice_vector(s, "V(B)", v, 1, &ei));
  NEAR(v[0], 1.5, 1e-14, 0);
  OK(mho_spice_vector(s, "i(v1)", v, 1, &ei));
  NEAR(v[0], -5e-4, 1e-14, 0);
  assert_int_equal(mho_spice_vector(s, "v(b)", v, 2, &ei), MHO_EINVAL);
  static const char *missing[] = {"v(c)", "e", "pi", "i(r9)", "@r9[i]"};
  for (int i = 0; i < MHO_COUNT(missing); i++)
    if (mho_spice_vector(s, missing[i], v, 1, &ei) != MHO_ENOTFOUND)
      fail_msg("%s was found", missing[i]);
  assert_int_equal(mho_spice_vector(s, "v(b); quit", v, 1, &ei), MHO_EINVAL);
  static const char *commands[] = {"quit",   "op; quit",       "dc v1 0 1", "",
                                   "bg_run", "tran 1n `quit`", "op\nquit"};
  for (int i = 0; i < MHO_COUNT(commands); i++)
    assert_int_equal(mho_spice_run(s, commands[i], &ei), MHO_EINVAL);
  OK(mho_spice_vector(s, "v(b)", v, 1, &ei)); /* results are still there */
  mho_spice_close(s);
  OK(mho_spice_open(&s, &ei));
  *state = s;
  assert_int_equal(mho_spice_run(s, "op", &ei), MHO_EINVAL); /* nothing loaded */
  check_good(s);
}

static void test_alter(void **state) {
  mho_spice *s = *state;
  mho_errinfo ei;
  double v;
  check_good(s);
  OK(mho_spice_alter(s, "r2", "resistance", 1e3, &ei));
  OK(mho_spice_alter(s, "V1", "dc", -1.0 / 3, &ei));
  assert_int_equal(mho_spice_vector(s, "v(b)", &v, 1, &ei),
                   MHO_ESPICE); /* those of the old circuit */
  OK(mho_spice_run(s, "op", &ei));
  OK(mho_spice_vector(s, "v(b)", &v, 1, &ei));
  NEAR(v, -1.0 / 6, 1e-14, 0);
  assert_int_equal(mho_spice_alter(s, "r9", "resistance", 1, &ei), MHO_ENOTFOUND);
  assert_int_equal(mho_spice_alter(s, "r1", "charm", 1, &ei), MHO_ENOTFOUND);
  assert_int_equal(mho_spice_alter(s, "r1", "resistance", 0, &ei), MHO_EINVAL);
  assert_int_equal(mho_spice_alter(s, "r1", "resistance", (double)NAN, &ei), MHO_EINVAL);
  assert_int_equal(mho_spice_alter(s, "r1] = 1; quit", "resistance", 1, &ei), MHO_EINVAL);
  OK(mho_spice_vector(s, "v(b)", &v, 1, &ei));
}

static void test_transient(void **state) {
  mho_spice *s = *state;
  mho_errinfo ei;
  int n;
  OK(mho_spice_load(s, "RC\nV1 a 0 1\nR1 a b 1k\nC1 b 0 1u ic=0\n", &ei));
  OK(mho_spice_run(s, "tran 10u 1m 0 1u uic", &ei));
  OK(mho_spice_vector_length(s, "time", &n, &ei));
  assert_true(n > 100);
  double *t = malloc((size_t)n * sizeof *t), *v = malloc((size_t)n * sizeof *v);
  OK(mho_spice_vector(s, "time", t, n, &ei));
  OK(mho_spice_vector(s, "v(b)", v, n, &ei));
  for (int i = 0; i < n; i++)
    NEAR(v[i], 1 - exp(-t[i] / 1e-3), 0, 1e-3);
  free(t);
  free(v);
  assert_int_equal(mho_spice_run(s, "tran 0 0", &ei), MHO_ESPICE);
  assert_non_null(strstr(ei.message, "TSTEP"));
  assert_int_equal(mho_spice_vector_length(s, "time", &n, &ei), MHO_ESPICE);
}

static double supply(void *user, const char *name, double t) {
  return strcmp(name, "vin") ? (double)NAN : *(double *)user;
}

static void test_external_source(void **state) {
  mho_spice *s = *state;
  mho_errinfo ei;
  double v, given = .25;
  OK(mho_spice_load(s, "external\nVin a 0 external\nR1 a 0 1k\n", &ei));
  assert_int_equal(mho_spice_run(s, "op", &ei), MHO_ESPICE);
  assert_non_null(strstr(ei.message, "vin"));
  mho_spice_sources(s, supply, &given);
  for (; given < 1; given += .25) {
    OK(mho_spice_run(s, "op", &ei));
    OK(mho_spice_vector(s, "i(vin)", &v, 1, &ei));
    NEAR(v, -given / 1e3, 1e-14, 0);
  }
  mho_spice_sources(s, NULL, NULL);
}

/* What would crash or spoil the library never reaches it. */
static void test_traps(void **state) {
  static const struct {
    const char *text, *says;
    int line;
  } traps[] = {
      {"", "no element", 0},
      {"\n\n", "no element", 0},
      {"V1 a 0 1\n.end\nR1 a 0 1", "no element", 0},
      {"t\nR1 a 0 1\nB1 b 0 V=(1+2\n", "'(' is not closed", 3},
      {"t\nR1 a 0 1\nB1 b 0 V=V(a\n", "'(' is not closed", 3},
      {"t\nR1 a 0 1\nB1 b 0 V=tanh(\n+ (V(a)\n* )\n+ ; )\nR2 b 0 1", "'(' is not closed", 3},
      {"t\nR1 a 0 1\nB1 b 0 V=1+2)\n", "')' was not opened", 3},
      {"t\nR1 a 0 {1+2\nV1 a 0 1", "'{' is not closed", 2},
      {"t\nR1 a 0 r='1+2\nV1 a 0 1", "quote", 2},
      {"t\nV1 a 0 dc 0 external\nR1 a 0 1", "external", 2},
      {"t\nR1 a 0 1\nV1 a 0 1 EXTERNAL\n", "external", 3},
      {"t\nR1 a 0 1\nI1 a 0\n+ external dc 1\n", "external", 3},
      {"t\n.subckt s a\nR1 a 0 1\nV1 a 0 1", ".subckt", 0},
      {"t\nR1 a 0 1\n.ends\n", ".ends", 3},
      {"t\nR1 a 0 1\n.control\nquit\n", ".endc", 3},
      {"*ng_script\nquit\nR1 a 0 1", "script", 1},
  };
  for (int i = 0; i < MHO_COUNT(traps); i++) {
    mho_errinfo ei = {0};
    assert_int_equal(mho_spice_load(*state, traps[i].text, &ei), MHO_EINVAL);
    if (!strstr(ei.message, traps[i].says) || ei.line != traps[i].line)
      fail_msg("trap %d: line %d: %s", i, ei.line, ei.message);
  }

  check_good(*state);
}

/* What looks like a trap and is none. */
static void test_no_traps(void **state) {
  static const char *texts[] = {
      "(title {it's\nV1 a 0 2 ; (\nR1 a b 1k $ (\nR2 b 0 3k // (\n",
      "\nV1 a 0 2\nR1 a b 1k\nR2 b 0 3k",
      "t\r\nV1 a 0 2\r\n\r\n*#quit\r\nR1 a b\r\n* (\r\n+ 1k\r\nR2 b 0 3k\r\n.end\r\nquit\r\n",
      "t\n.title it's (fine\nV1 a 0 2\nR1 a b {1k}\nR2 b 0 "
      "r='3*1k'\n.control\nquit\n(\n.endc\n.END\n",
      "t\n.param half=0.5\n.subckt s in out\nR1 in out {2k*half}\n.ends s\nV1 a 0 2\nX1 a b s\nR2 "
      "b 0 3k\n",
  };
  mho_errinfo ei;
  for (int i = 0; i < MHO_COUNT(texts); i++) {
    double v;
    OK(mho_spice_load(*state, texts[i], &ei));
    OK(mho_spice_run(*state, "op", &ei));
    OK(mho_spice_vector(*state, "v(b)", &v, 1, &ei));
    NEAR(v, 1.5, 1e-14, 0);
  }
}

/* What ngspice refuses and survives: its words come back, and the next netlist loads. */
static void test_refused_netlists(void **state) {
  static const struct {
    const char *text, *says;
    int line;
  } bad[] = {
      {"t\nV1 a 0 1\nD1 a 0 nomodel\n", "could not find a valid modelname", 3},
      {"t\nV1 a 0 1\nR1 a 0 1k\nfoo bar\n", "foo bar", 0},
      {"t\nV1 a 0 1\nX1 a 0 nosuch\n", "unknown subckt", 0},
      {"t\nV1 a 0 1\nV1 a 0 1\n", "already exists", 3},
      {"t\nR1 a 0 1\nB1 a 0 V=foo(1)\n", "no such function 'foo'", 3},
      {"t\nR1 a 0 1\n.include no-such-file.lib\n", "no-such-file.lib", 0},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_errinfo ei = {0};
    check_good(*state);
    assert_int_equal(mho_spice_load(*state, bad[i].text, &ei), MHO_ESPICE);
    if (!strstr(ei.message, bad[i].says) || ei.line != bad[i].line || strstr(ei.message, "broken"))
      fail_msg("netlist %d: line %d: %s", i, ei.line, ei.message);
    assert_int_equal(mho_spice_run(*state, "op", &ei), MHO_EINVAL);
  }
  check_good(*state);
}

/* What only shows in a run. */
static void test_failed_runs(void **state) {
  static const char *bad[][2] = {
      {"t\nV1 a 0 1\nR1 a 0 1\nB1 c 0 V=V(nowhere)\n", "check node nowhere"},
      {"t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n", "singular matrix"},
      {"t\nV1 a 0 1\nF1 a 0 vnone 1\n", "unknown controlling source vnone"},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_errinfo ei = {0};
    double v;
    OK(mho_spice_load(*state, bad[i][0], &ei));
    assert_int_equal(mho_spice_run(*state, "op", &ei), MHO_ESPICE);
    if (!strstr(ei.message, bad[i][1]) || strstr(ei.message, "broken"))
      fail_msg("run %d: %s", i, ei.message);
    assert_int_equal(mho_spice_vector(*state, "v(a)", &v, 1, &ei), MHO_ESPICE);
    check_good(*state);
  }
}

#define STEP(ok)                                                                                   \
  if (!(ok)) {                                                                                     \
    fprintf(stderr, "step failed: %s: %s\n", #ok, ei.message);                                     \
    return 1;                                                                                      \
  }

static int break_and_mend(void) {
  static const struct {
    const char *text, *says;
    int line;
  } bad[] = {{"t\nV1 a 0 {foo}\nR1 a 0 1k\n", "Undefined parameter [foo]", 2},
             {"t\nR1 a 0 1k\n.lib no-such-file.lib tt\n", "no-such-file.lib", 0},
             {"t\nR1 a 0 1k\nB1 a 0 V=q+1\n", "Undefined parameter [q]", 3}};
  for (int i = 0; i < 3 * MHO_COUNT(bad); i++) {
    mho_errinfo ei = {0};
    mho_spice *s;
    double v = 0;
    int k = i % MHO_COUNT(bad);
    STEP(!mho_spice_open(&s, &ei));
    STEP(mho_spice_load(s, bad[k].text, &ei) == MHO_ESPICE);
    STEP(strstr(ei.message, bad[k].says) && strstr(ei.message, "session is broken") &&
         ei.line == bad[k].line);
    STEP(mho_spice_load(s, good, &ei) == MHO_ESPICE && strstr(ei.message, "broken"));
    STEP(mho_spice_run(s, "op", &ei) == MHO_ESPICE);
    STEP(mho_spice_vector(s, "v(b)", &v, 1, &ei) == MHO_ESPICE);
    STEP(mho_spice_alter(s, "r1", "resistance", 1, &ei) == MHO_ESPICE);
    mho_spice_close(s);
    mho_err err = mho_spice_open(&s, &ei);
    if (err == MHO_ESPICE && strstr(ei.message, "start the program again"))
      /* It was linked to the library after all (--no-as-needed): it cannot be unloaded then. */
      return 0;
    STEP(!err);
    STEP(!mho_spice_load(s, good, &ei) && !mho_spice_run(s, "op", &ei) &&
         !mho_spice_vector(s, "v(b)", &v, 1, &ei));
    STEP(fabs(v - 1.5) < 1e-14);
    mho_spice_close(s);
  }

  return 0;
}

/* In a child: the library that is unloaded leaves its memory behind, which is a leak of an
 * unknown module. */
static void test_broken_session(void **state) {
  mho_errinfo ei;
  mho_spice_close(*state);
  *state = NULL;
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child)
    _exit(break_and_mend());
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  mho_spice *s;
  OK(mho_spice_open(&s, &ei));
  *state = s;
  check_good(s);
}

/* Bytes in use: of the heap under the sanitizer, which never returns memory, else of the
 * process. */
static double memory(void) {
#if defined(__SANITIZE_ADDRESS__)
  return (double)__sanitizer_get_current_allocated_bytes();
#else
  FILE *f = fopen("/proc/self/statm", "r");
  long pages = 0;
  if (!f || fscanf(f, "%*d %ld", &pages) != 1)
    fail_msg("cannot read /proc/self/statm");
  fclose(f);
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
#endif
}

static void test_no_growth(void **state) {
  mho_spice *s = *state;
  mho_errinfo ei;
  fixture f;
  char *text;
  fill(&f, false, false, true);
  OK(mho_netlist_crossbar_write(&f.x, &text, &ei));
  OK(mho_spice_load(s, text, &ei));
  mho_free(text);
  double before = 0, i;
  int runs = getenv("MHO_TEST_SLOW") ? 10000 : 3000;
  for (int run = 0; run < runs + 20; run++) {
    if (run == 20)
      before = memory();
    OK(mho_spice_alter(s, "vin0", "dc", 1e-3 * run, &ei));
    OK(mho_spice_run(s, "op", &ei));
    OK(mho_spice_vector(s, "i(vp0)", &i, 1, &ei));
  }
  double grown = memory() - before;
  if (!(grown < 50 * runs)) /* pages come and go: up to 53 kB, however many runs */
    fail_msg("%d runs took %g bytes", runs, grown);
  if (getenv("MHO_TEST_SHOW"))
    print_message("%d runs took %g bytes\n", runs, grown);
}

/* Nothing of ngspice's own words reaches our standard output and error. */
static void test_quiet(void **state) {
  FILE *heard = tmpfile();
  assert_non_null(heard);
  fflush(NULL);
  int out = dup(1), err = dup(2);
  dup2(fileno(heard), 1);
  dup2(fileno(heard), 2);
  mho_errinfo ei;
  mho_err failed = mho_spice_load(*state, "t\nV1 a 0 1\nV2 a 0 2\n", &ei);
  bool ran = !failed && mho_spice_run(*state, "op", &ei) == MHO_ESPICE;
  bool told = strstr(mho_spice_messages(*state), "singular matrix") != NULL;
  bool refused = mho_spice_load(*state, "t\nV1 a 0 1\nfoo\n", &ei) == MHO_ESPICE;
  fflush(NULL);
  dup2(out, 1);
  dup2(err, 2);
  close(out);
  close(err);
  fseek(heard, 0, SEEK_END);
  assert_int_equal(ftell(heard), 0);
  fclose(heard);
  assert_true(ran && told && refused);
}

/* ---------------------------------------------------------------- the program */

static void test_batch(void **state) {
  if (system("command -v ngspice >/dev/null 2>&1")) {
    print_message("the ngspice program is not installed: written netlists were not run by it\n");
    skip();
  }

  mho_errinfo ei;
  for (int transposed = 0; transposed < 2; transposed++) {
    fixture f;
    char *text, path[] = "/tmp/mho-crossbar-XXXXXX", run[128], line[256];
    fill(&f, transposed, true, true);
    f.x.control = true;
    f.x.expected = f.core;
    OK(mho_netlist_crossbar_write(&f.x, &text, &ei));
    int fd = mkstemp(path), found = 0;
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    mho_free(text);
    double largest = 0;
    for (int k = 0; k < (transposed ? ROWS : COLS); k++)
      largest = fmax(largest, fabs(f.core[k]));
    snprintf(run, sizeof run, "ngspice -b %s 2>/dev/null", path);
    FILE *p = popen(run, "r");
    assert_non_null(p);
    while (fgets(line, sizeof line, p)) {
      int k;
      double i;
      if (sscanf(line, "out%d = %lf", &k, &i) == 2 && k == found) {
        NEAR(i, f.core[k], 0, 1e-12 * largest);
        found++;
      }
    }
    assert_int_equal(pclose(p), 0);
    assert_int_equal(found, transposed ? ROWS : COLS);
    unlink(path);
  }
}

static int open_session(void **state) {
  mho_errinfo ei;
  return mho_spice_open((mho_spice **)state, &ei) ? -1 : 0;
}

static int close_session(void **state) {
  mho_spice_close(*state);
  return 0;
}

int main(void) {
  mho_spice *s;
  mho_errinfo ei;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }

  mho_spice_close(s);
#define WITH_SESSION(f) cmocka_unit_test_setup_teardown(f, open_session, close_session)
  const struct CMUnitTest tests[] = {
      WITH_SESSION(test_currents),
      WITH_SESSION(test_a_line_without_devices),
      WITH_SESSION(test_a_difference_is_found),
      cmocka_unit_test(test_netlist_text),
      cmocka_unit_test(test_netlist_refusals),
      WITH_SESSION(test_session),
      WITH_SESSION(test_alter),
      WITH_SESSION(test_transient),
      WITH_SESSION(test_external_source),
      WITH_SESSION(test_traps),
      WITH_SESSION(test_no_traps),
      WITH_SESSION(test_refused_netlists),
      WITH_SESSION(test_failed_runs),
      WITH_SESSION(test_broken_session),
      WITH_SESSION(test_no_growth),
      WITH_SESSION(test_quiet),
      cmocka_unit_test(test_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
