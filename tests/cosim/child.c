/* Netlists of unknown origin in a process of their own: what kills or stops ngspice there harms
 * nobody.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"
#include "test.h"

#include <unistd.h>

enum { SKIPPED = 77 };

static const char self[] = "/proc/self/exe";
static mho_errinfo ei;

static const char divider[] = "divider\n"
                              "* expect half = 1.5 +- 1e-9 V\n"
                              "* expect v(a) = 2 +- 1e-9 V\n"
                              "V1 a 0 2\nR1 a b 1k\nR2 b 0 3k\n"
                              ".control\nset numdgt=15\nop\nlet half = v(b)\nprint half "
                              "v(a)\nprint half\nquit\nquit\n.endc\n";

static void test_good(void **state) {
  char *out, place[MHO_PLACE_MAX];
  mho_cosim_row row;
  OK(mho_spice_isolated(&(mho_spice_isolation){self, 30, false, NULL}, divider, &out, &ei));
  assert_non_null(strstr(out, "half = 1.500000000000000e+00"));
  OK(mho_netlist_compare(divider, out, &row, place, NULL, &ei));
  assert_true(row.pass && row.n == 2 && row.max_rel < 1);
  mho_free(out);
}

static void test_what_is_compared(void **state) {
  char place[MHO_PLACE_MAX];
  mho_cosim_row row;
  OK(mho_netlist_compare(divider, "half = 1.5\nv(a) = 2.1\n", &row, place, NULL, &ei));
  assert_true(!row.pass && row.max_rel > 1e7);
  assert_string_equal(place, "v(a)");
  OK(mho_netlist_compare(divider, "HALF = 1.5\n  v(a) = 2.0000000005\n", &row, place, NULL, &ei));
  assert_true(row.pass);
  NEAR(row.max_rel, .5, 1e-3, 0);
  OK(mho_netlist_compare(divider, "half = nan\nv(a) = 2\n", &row, place, NULL, &ei));
  assert_false(row.pass);
  assert_int_equal(mho_netlist_compare(divider, "half = 1.5\n", &row, place, NULL, &ei),
                   MHO_ESPICE);
  assert_int_equal(ei.line, 3);
  assert_int_equal(mho_netlist_compare("title\nR1 a 0 1\n", "", &row, place, NULL, &ei),
                   MHO_EINVAL);
}

/* Runs `netlist`, which must fail with these words, within the time; then the good one runs. */
static void must_fail(const char *netlist, double timeout_s, const char *says) {
  char *out;
  double start = mho_seconds();
  mho_err err =
      mho_spice_isolated(&(mho_spice_isolation){self, timeout_s, false, NULL}, netlist, &out, &ei);
  if (!err || !strstr(ei.message, says))
    fail_msg("error %d, '%s', expected '%s'", (int)err, err ? ei.message : "", says);
  assert_null(out);
  assert_true(mho_seconds() - start < 60);
  test_good(NULL);
}

static void test_refused(void **state) {
  must_fail("t\nV1 a 0 1\nR1 a 0 {foo}\n", 30, "Undefined parameter [foo]");
  must_fail("t\nV1 a 0 dc 1 external\nR1 a 0 1\n", 30, "external");
  must_fail("t\nV1 a 0 1\nV2 a 0 2\n.control\nop\n.endc\n", 30, "singular matrix");
}

static void test_never_returns(void **state) {
  must_fail("t\nV1 a 0 1\nR1 a 0 1\n.control\nwhile 1\nend\n.endc\n", 1, "");
  must_fail("t\nV1 a 0 1\nR1 a 0 1\nC1 a 0 1\n.control\ndc v1 0 1\n.endc\n", 1, "was stopped");
}

/* What is included is not looked at before: an external source with a value crashes ngspice. */
static void test_crashes(void **state) {
  char path[] = "/tmp/mho-included-XXXXXX", netlist[256];
  static const char trap[] = "V1 a 0 dc 1 external\nR1 a 0 1\n";
  int fd = mkstemp(path);
  assert_true(fd >= 0 && write(fd, trap, sizeof trap - 1) == (ssize_t)sizeof trap - 1);
  close(fd);
  snprintf(netlist, sizeof netlist, "t\n.include %s\nR2 a 0 1k\n.control\nop\nop\n.endc\n", path);
#ifdef __SANITIZE_ADDRESS__ /* which turns the crash into an exit of its own */
  must_fail(netlist, 30, "ngspice ended in the middle");
#else
  must_fail(netlist, 30, "ngspice crashed");
#endif
  unlink(path);
}

static void test_no_program(void **state) {
  char *out;
  assert_int_equal(mho_spice_isolated(&(mho_spice_isolation){"/nonexistent/mho", 5, false, NULL},
                                      divider, &out, &ei),
                   MHO_EIO);
  assert_non_null(strstr(ei.message, "/nonexistent/mho"));
  /* a program that answers nothing */
  assert_int_equal(
      mho_spice_isolated(&(mho_spice_isolation){"/bin/true", 5, false, NULL}, divider, &out, &ei),
      MHO_ESPICE);
}

/* A program may have words of its own, as an interpreter has; too many are refused. */
static void test_words_of_the_program(void **state) {
  char *out, path[512];
  ssize_t n = readlink(self, path, sizeof path - 1);
  assert_true(n > 0);
  path[n] = 0;
  const char *const script[] = {"-c", "exec \"$0\" \"$@\"", path};
  mho_spice_isolation how = {"/bin/sh", 30, false, NULL, script, MHO_COUNT(script)};
  OK(mho_spice_isolated(&how, divider, &out, &ei));
  assert_non_null(strstr(out, "half = 1.500000000000000e+00"));
  mho_free(out);

  how.n_words = MHO_SPICE_WORDS + 1;
  assert_int_equal(mho_spice_isolated(&how, divider, &out, &ei), MHO_EINVAL);
  assert_non_null(strstr(ei.message, "at most 8"));
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], MHO_SPICE_CHILD))
    return mho_spice_child(0, argc > 2 ? argv[2] : NULL);
  mho_spice *s;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_what_is_compared),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_never_returns),
      cmocka_unit_test(test_crashes),
      cmocka_unit_test(test_no_program),
      cmocka_unit_test(test_words_of_the_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
