/* Every registered thing says what it is, and its parameter table is sound.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/experiment.h"
#include "mho/model/check.h"
#include "test.h"

static void check_param(const mho_entry *e, const mho_param *p) {
  _Alignas(16) unsigned char a[MHO_CHOICE_MAX] = {0}, b[MHO_CHOICE_MAX] = {0};
  char text[MHO_TEXT_MAX * 4], range[256];
  mho_errinfo ei = {0};
  if (!p->name || !*p->name || !p->doc || !*p->doc || !p->unit)
    fail_msg("%s: a parameter without name, unit or meaning", e->id);
  if (p->offset >= e->params.size)
    fail_msg("%s.%s lies outside its struct", e->id, p->name);
  mho_params_init(e->params, a);
  assert_true(mho_param_is_default(p, a));
  for (int bare = 0; bare < 2;
       bare++) { /* the default lies in its own range and is read back as printed */
    memcpy(b, a, sizeof b);
    mho_param_format(p, a, bare, text, sizeof text);
    if (mho_param_parse(p, text, bare, b, &ei))
      fail_msg("%s.%s: its default '%s' is refused: %s", e->id, p->name, text, ei.message);
    assert_memory_equal(a, b, e->params.size);
  }
  mho_param_range(p, range, sizeof range);
  assert_true(*range);
  for (int i = 0; i < e->params.n; i++)
    if (&e->params.p[i] != p && !strcmp(e->params.p[i].name, p->name))
      fail_msg("%s.%s stands twice", e->id, p->name);
}

static void test_entries(void **state) {
  mho_registry *r;
  mho_errinfo ei;
  OK(mho_registry_new(&r, &ei));
  for (mho_kind k = 0; k < MHO_KIND_COUNT; k++) {
    assert_true(mho_registry_count(r, k) > 0);
    for (int i = 0; i < mho_registry_count(r, k); i++) {
      const mho_entry *e = mho_registry_at(r, k, i);
      assert_int_equal(e->abi, MHO_ABI);
      assert_true(e->id && *e->id && e->title && *e->title);
      assert_ptr_equal(mho_registry_find(r, k, e->id), e);
      for (int j = 0; j < e->params.n; j++)
        check_param(e, &e->params.p[j]);
    }
  }
  mho_registry_free(r);
}

/* Every neuron: its slope is the finite difference of its activation, and its range holds. */
static void test_neurons(void **state) {
  enum { N = 401 };
  mho_registry *r;
  mho_errinfo ei;
  OK(mho_registry_new(&r, &ei));
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_NEURON); i++) {
    const mho_neuron *n = (const mho_neuron *)mho_registry_at(r, MHO_KIND_NEURON, i);
    mho_real a[N], z[N], up[N], down[N], zu[N], zd[N], slope[N];
    const double h = 1e-2;
    for (int k = 0; k < N; k++) { /* off the kinks at 0 and 1 by more than h */
      double v = (k - N / 2) * 0.0501 + 0.0217;
      a[k] = (mho_real)v;
      up[k] = (mho_real)(v + h);
      down[k] = (mho_real)(v - h);
      slope[k] = 1;
    }
    n->activate(N, a, z);
    n->activate(N, up, zu);
    n->activate(N, down, zd);
    n->scale_by_slope(N, z, slope);
    for (int k = 0; k < N; k++) {
      assert_true((double)z[k] >= n->low && (double)z[k] <= n->high);
      bool kink = fabs((double)a[k]) < 2 * h || fabs((double)a[k] - 1) < 2 * h;
      if (!kink)
        NEAR(slope[k], ((double)zu[k] - (double)zd[k]) / ((double)up[k] - (double)down[k]), 0,
             2e-4);
    }
  }

  mho_registry_free(r);
}

/* Every dynamics: hooks that belong together are there together, some settler runs it, and its
 * variables have names of their own. */
static void test_dynamics(void **state) {
  mho_registry *r;
  mho_errinfo ei;
  OK(mho_registry_new(&r, &ei));
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_DYNAMICS); i++) {
    const mho_dynamics *d = (const mho_dynamics *)mho_registry_at(r, MHO_KIND_DYNAMICS, i);
    int settlers = 0;
    assert_non_null(d->begin);
    assert_int_equal(d->input != NULL, d->relax != NULL);
    assert_int_equal(d->next != NULL, d->event != NULL);
    assert_true(d->relax || !(d->difference || d->is_circuit));
    for (int k = 0; k < mho_registry_count(r, MHO_KIND_SETTLER); k++) {
      const mho_entry *e = mho_registry_at(r, MHO_KIND_SETTLER, k);
      _Alignas(16) unsigned char params[MHO_CHOICE_MAX];
      mho_params_init(e->params, params);
      settlers += !((const mho_settler *)e)->misses(d, params);
    }
    assert_true(settlers > 0);
    for (int a = 0; a < d->n_vars; a++)
      for (int b = 0; b < a; b++)
        assert_string_not_equal(d->vars[a].name, d->vars[b].name);
  }
  mho_registry_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_entries), cmocka_unit_test(test_neurons),
                                     cmocka_unit_test(test_dynamics)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
