/* registry.c - the one place where the lists of models are expanded.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/experiment.h"
#include "mho/model/check.h"

#define X(id) extern const mho_dataset_kind mho_dataset_##id;
#include "dataset_list.inc"
#undef X
#define X(id) extern const mho_topology mho_topology_##id;
#include "topology_list.inc"
#undef X
#define X(id) extern const mho_neuron mho_neuron_##id;
#include "neuron_list.inc"
#undef X
#define X(id) extern const mho_dynamics mho_dynamics_##id;
#include "dynamics_list.inc"
#undef X
#define X(id) extern const mho_settler mho_settler_##id;
#include "settler_list.inc"
#include "spice_settler_list.inc"
#undef X
#define X(id) extern const mho_rule mho_rule_##id;
#include "rule_list.inc"
#undef X
#define X(id) extern const mho_optimizer mho_optimizer_##id;
#include "optimizer_list.inc"
#undef X
#define X(id) extern const mho_scheme mho_scheme_##id;
#include "scheme_list.inc"
#undef X
#define X(id) extern const mho_device_model mho_device_##id;
#include "device_list.inc"
#undef X
#define X(id) extern const mho_mapping mho_mapping_##id;
#include "mapping_list.inc"
#undef X
#define X(id) extern const mho_array_model mho_array_##id;
#include "array_list.inc"
#include "spice_array_list.inc"
#undef X

static const struct {
  mho_kind kind;
  const mho_entry *entry;
} built_in[] = {
#define X(id) {MHO_KIND_DATASET, &mho_dataset_##id.entry},
#include "dataset_list.inc"
#undef X
#define X(id) {MHO_KIND_TOPOLOGY, &mho_topology_##id.entry},
#include "topology_list.inc"
#undef X
#define X(id) {MHO_KIND_NEURON, &mho_neuron_##id.entry},
#include "neuron_list.inc"
#undef X
#define X(id) {MHO_KIND_DYNAMICS, &mho_dynamics_##id.entry},
#include "dynamics_list.inc"
#undef X
#define X(id) {MHO_KIND_SETTLER, &mho_settler_##id.entry},
#include "settler_list.inc"
#include "spice_settler_list.inc"
#undef X
#define X(id) {MHO_KIND_RULE, &mho_rule_##id.entry},
#include "rule_list.inc"
#undef X
#define X(id) {MHO_KIND_OPTIMIZER, &mho_optimizer_##id.entry},
#include "optimizer_list.inc"
#undef X
#define X(id) {MHO_KIND_SCHEME, &mho_scheme_##id.entry},
#include "scheme_list.inc"
#undef X
#define X(id) {MHO_KIND_DEVICE, &mho_device_##id.entry},
#include "device_list.inc"
#undef X
#define X(id) {MHO_KIND_MAPPING, &mho_mapping_##id.entry},
#include "mapping_list.inc"
#undef X
#define X(id) {MHO_KIND_ARRAY, &mho_array_##id.entry},
#include "array_list.inc"
#include "spice_array_list.inc"
#undef X
};

enum { PER_KIND = 64 };

struct mho_registry {
  int n[MHO_KIND_COUNT];
  const mho_entry *entry[MHO_KIND_COUNT][PER_KIND];
};

const char *mho_kind_word(mho_kind kind) {
  static const char *words[] = {
#define X(kind, word, type) word,
      MHO_KINDS(X)
#undef X
  };
  return words[kind];
}

mho_err mho_registry_add(mho_registry *r, mho_kind kind, const mho_entry *e, mho_errinfo *ei) {
  if (e->abi != MHO_ABI)
    return mho_fail(ei, MHO_EINVAL, "'%s' was built for ABI %d, this mho has %d: rebuild it", e->id,
                    e->abi, MHO_ABI);
  if (mho_registry_find(r, kind, e->id))
    return mho_fail(ei, MHO_EINVAL, "'%s' is taken among the %s", e->id, mho_kind_word(kind));
  if (e->params.size > MHO_CHOICE_MAX)
    return mho_fail(ei, MHO_EINVAL, "the parameters of '%s' take %zu bytes: at most %d", e->id,
                    e->params.size, MHO_CHOICE_MAX);
  if (r->n[kind] == PER_KIND)
    return mho_fail(ei, MHO_EINVAL, "there are %d %s already", PER_KIND, mho_kind_word(kind));

  r->entry[kind][r->n[kind]++] = e;
  return MHO_OK;
}

mho_err mho_registry_new(mho_registry **out, mho_errinfo *ei) {
  *out = NULL;
  mho_registry *r = mho_alloc(1, sizeof *r);
  if (!r)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the registry");

  for (int i = 0; i < MHO_COUNT(built_in); i++) {
    mho_err err = mho_registry_add(r, built_in[i].kind, built_in[i].entry, ei);
    if (err) {
      mho_registry_free(r);
      return err;
    }
  }

  *out = r;
  return MHO_OK;
}

void mho_registry_free(mho_registry *r) {
  mho_free(r);
}

int mho_registry_count(const mho_registry *r, mho_kind kind) {
  return r->n[kind];
}

const mho_entry *mho_registry_at(const mho_registry *r, mho_kind kind, int i) {
  return i >= 0 && i < r->n[kind] ? r->entry[kind][i] : NULL;
}

const mho_entry *mho_registry_find(const mho_registry *r, mho_kind kind, const char *id) {
  for (int i = 0; i < r->n[kind]; i++)
    if (!strcmp(r->entry[kind][i]->id, id))
      return r->entry[kind][i];
  return NULL;
}
