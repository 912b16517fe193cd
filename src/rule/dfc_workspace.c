/* dfc_workspace.c - what a thread works in under deep feedback control, by how control comes about.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/num.h"
#include "rule/dfc.h"

/* Which of three there is room for: see rule.control. */
static int control_of(const mho_network *net, const dfc_params *p) {
  if (p->control != DFC_AUTO)
    return p->control;
  return mho_network_lossy(net) ? DFC_TIME : DFC_SOLVE;
}

static bool reads_from(const mho_network *net, int l, bool input) {
  const mho_layer *layer = &net->layer[l];
  for (int i = layer->forward; i < layer->forward + layer->n_forward; i++)
    if ((net->link[i].from == 0) == input)
      return true;
  return false;
}

/* Room for n numbers at *out where they are wanted. */
static bool add_real(bool wanted, size_t n, mho_real **out) {
  if (wanted)
    *out = mho_alloc(n, sizeof **out);
  return !wanted || *out;
}

static bool add_exact(bool wanted, size_t n, double **out) {
  if (wanted)
    *out = mho_alloc(n, sizeof **out);
  return !wanted || *out;
}

static bool add_int16(bool wanted, size_t n, int16_t **out) {
  if (wanted)
    *out = mho_alloc(n, sizeof **out);
  return !wanted || *out;
}

/* Layer l; a rest needs rows of the Jacobian, a way in time potentials. */
static bool add_layer(dfc_workspace *w, const mho_network *net, const dfc_params *p, int l) {
  size_t n = (size_t)w->n * (size_t)net->layer[l].n;
  bool hidden = l < mho_network_output(net), in_time = w->control == DFC_TIME;
  bool has_input = reads_from(net, l, true), has_others = reads_from(net, l, false);
  bool again = hidden && in_time && p->copies == DFC_SHARED && mho_network_noisy(net);
  bool mixes = w->control == DFC_SOLVE && net->path != MHO_PATH_DIRECT;
  bool means = in_time && p->read == DFC_MEAN;
  bool estimates = w->control == DFC_SOLVE && net->path == MHO_PATH_DIRECT;
  bool rounds = hidden && has_others && w->control == DFC_LINEAR && mho__dfc_rounds(p);
  size_t pairs = (size_t)mho__dfc_pairs(w->classes);

  bool ok = add_real(has_input, n, &w->input[l]) && add_real(hidden, n, &w->other[l]) &&
            add_real(again, n, &w->again[l]) &&
            add_real(hidden && !in_time, (size_t)w->classes * n, &w->jacobian[l]) &&
            add_int16(rounds, (size_t)w->classes * n, &w->rounded[l]) &&
            add_real(rounds, (size_t)(w->classes * w->n), &w->unit[l]) &&
            add_real(hidden && !in_time, n, &w->miss[l]) && add_real(mixes, n, &w->before[l]) &&
            add_real(mixes, 4 * n, &w->history[l]) && add_exact(hidden && in_time, n, &w->v[l]) &&
            add_real(means, n, &w->mean_e[l]) && add_real(means && hidden, n, &w->mean_z[l]) &&
            add_real(hidden && estimates, pairs * (size_t)net->layer[l].n, &w->forms[l]);
  if (ok && has_input && !has_others)
    w->sums[l] = w->input[l];
  else
    ok = ok && add_real(true, n, &w->sums[l]);
  return ok;
}

/* Forward links out of hidden layers, turned. */
static bool add_links_back(dfc_workspace *w, const mho_network *net) {
  int n = 0;
  w->back = mho_alloc((size_t)net->n_links, sizeof *w->back);
  if (!w->back)
    return false;

  for (int l = 0; l < net->n_layers; l++) {
    w->first_back[l] = n;
    for (int i = 0; l > 0 && i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      if (k->from == l && k->role == MHO_FORWARD)
        w->back[n++] = (mho_link){.from = k->to,
                                  .to = l,
                                  .role = MHO_FEEDBACK,
                                  .connection = k->connection,
                                  .transposed = !k->transposed,
                                  .scale = k->scale,
                                  .plain = k->plain};
    }
  }
  w->first_back[net->n_layers] = n;
  return true;
}

/* What is of the controls. */
static bool add_controls(dfc_workspace *w, const mho_network *net) {
  size_t c = (size_t)w->classes, n = (size_t)w->n * c;
  bool rest = w->control != DFC_TIME;
  size_t scratch = rest ? mho_settle_scratch(net, w->n * w->classes) : 0;

  w->lost = mho_alloc((size_t)w->n, sizeof *w->lost);
  size_t estimates = (size_t)w->n * (size_t)mho__dfc_pairs(w->classes);
  w->order = mho_alloc((size_t)w->n, sizeof *w->order);
  for (int s = 0; s < w->n && w->order; s++)
    w->order[s] = s;
  return w->lost && w->order && add_exact(true, n, &w->reach) && add_exact(true, n, &w->first) &&
         add_exact(true, n, &w->potential) && add_exact(true, n, &w->u) &&
         add_exact(true, n, &w->f) && add_exact(rest, n, &w->u_best) &&
         add_exact(rest, n, &w->way) && add_exact(rest, n, &w->u_last) &&
         add_exact(rest, n, &w->v_last) && add_exact(!rest, n, &w->integral) &&
         add_real(rest, n * c, &w->units) && add_real(rest, n * c, &w->product) &&
         add_real(rest, estimates, &w->estimate) && add_exact(rest, n * c, &w->k) &&
         add_exact(rest, c * (c + 1), &w->matrix) && add_exact(rest, 2 * c, &w->eigenvalue) &&
         add_exact(rest, 4 * c, &w->trial) && add_exact(rest, 2 * c, &w->share) &&
         add_real(rest, scratch, &w->scratch) && (!rest || add_links_back(w, net));
}

static bool fill(dfc_workspace *w, const mho_network *net, const dfc_params *p) {
  for (int l = 1; l < net->n_layers; l++)
    if (!add_layer(w, net, p, l))
      return false;
  return add_controls(w, net);
}

mho_err mho__dfc_workspace_new(const mho_network *net, const dfc_params *p, int n,
                               dfc_workspace **out, mho_errinfo *ei) {
  dfc_workspace *w = mho_alloc(1, sizeof *w);
  *out = NULL;
  if (w) {
    w->n = n;
    w->classes = mho_network_classes(net);
    w->control = control_of(net, p);
  }

  mho_err err = MHO_OK;
  if (!w || !fill(w, net, p))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the control of %d samples", n);
  else if (w->control == DFC_TIME && p->integrate != DFC_EULER)
    err = mho__dfc_stepper_new(net, p, w, ei);
  if (err) {
    mho__dfc_workspace_free(w);
    return err;
  }

  *out = w;
  return MHO_OK;
}

static void free_layer(dfc_workspace *w, int l) {
  if (w->sums[l] != w->input[l])
    mho_free(w->sums[l]);
  mho_free(w->input[l]);
  mho_free(w->again[l]);
  mho_free(w->other[l]);
  mho_free(w->jacobian[l]);
  mho_free(w->rounded[l]);
  mho_free(w->unit[l]);
  mho_free(w->miss[l]);
  mho_free(w->before[l]);
  mho_free(w->history[l]);
  mho_free(w->v[l]);
  mho_free(w->mean_z[l]);
  mho_free(w->mean_e[l]);
  mho_free(w->forms[l]);
}

void mho__dfc_workspace_free(dfc_workspace *w) {
  if (!w)
    return;

  for (int l = 0; l < MHO_LAYERS_MAX; l++)
    free_layer(w, l);
  mho_free(w->reach);
  mho_free(w->first);
  mho_free(w->potential);
  mho_free(w->u);
  mho_free(w->f);
  mho_free(w->u_best);
  mho_free(w->way);
  mho_free(w->lost);
  mho_free(w->estimate);
  mho_free(w->order);
  mho_free(w->u_last);
  mho_free(w->v_last);
  mho_free(w->units);
  mho_free(w->product);
  mho_free(w->k);
  mho_free(w->matrix);
  mho_free(w->eigenvalue);
  mho_free(w->trial);
  mho_free(w->share);
  mho_free(w->scratch);
  mho_free(w->back);
  mho_free(w->integral);
  mho_ode_free(w->ode);
  mho_free(w->y);
  mho_free(w);
}
