/* circuit.c - a network of resistors at rest, as the training kept it (train/circuit_picture.c):
 * the section of its report.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/answer.h"
#include "report/circuit_plot.h"
#include "report/html.h"
#include "report/page.h"

/* What is kept of a run, query by query. */
#define KEPT                                                                                       \
  "WITH kept AS (SELECT CAST(data AS TEXT) AS j FROM artifact "                                    \
  "WHERE run_id = ?1 AND kind = 'circuit' LIMIT 1) "

enum { NODES_MAX = MHO_LAYERS_MAX * MHO_DRAWN_NODES };
enum { BRANCHES_MAX = MHO_LAYERS_MAX * MHO_DRAWN_BRANCHES };

static mho_err ask(const mho_page *p, const char *sql, mho_answer *out, mho_errinfo *ei) {
  const char *id = p->d.run.id;
  return mho__answer_read(p->store, sql, 1, &id, out, ei);
}

static int integer(const mho_answer *a, int record, int col) {
  double v = mho__answer_number(a, record, col);
  return v >= -1 && v < 1e9 ? (int)v : -1;
}

/* ---------------------------------------------------------------- from the database */

static mho_err read_head(const mho_page *p, mho_circuit_picture *c, mho_errinfo *ei) {
  static const char sql[] =
      KEPT "SELECT json_extract(j, '$.sample'), json_extract(j, '$.label'), "
           "json_extract(j, '$.volts'), json_extract(j, '$.amplifiers'), "
           "json_extract(j, '$.conductances'), json_extract(j, '$.share') FROM kept";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;
  if (a.n == 1)
    *c = (mho_circuit_picture){.sample = integer(&a, 0, 0),
                               .label = integer(&a, 0, 1),
                               .volts = mho__answer_number(&a, 0, 2),
                               .amplifiers = integer(&a, 0, 3) > 0,
                               .conductances = mho__answer_number(&a, 0, 4),
                               .share = mho__answer_number(&a, 0, 5)};
  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err read_layers(const mho_page *p, mho_circuit_picture *c, mho_errinfo *ei) {
  static const char sql[] = KEPT "SELECT json_extract(l.value, '$.name'), "
                                 "json_extract(l.value, '$.units'), "
                                 "json_extract(l.value, '$.drawn') "
                                 "FROM kept, json_each(kept.j, '$.layer') AS l ORDER BY l.key";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;

  c->n_layers = mho_min(a.n, MHO_LAYERS_MAX);
  for (int l = 0; l < c->n_layers; l++) {
    mho__gnuplot_text(mho__answer_text(&a, l, 0), c->layer[l].name, sizeof c->layer[l].name);
    c->layer[l].units = integer(&a, l, 1);
    c->layer[l].drawn = integer(&a, l, 2);
  }
  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err read_nodes(const mho_page *p, mho_circuit_picture *c, mho_errinfo *ei) {
  static const char sql[] =
      KEPT "SELECT json_extract(n.value, '$[0]'), json_extract(n.value, '$[1]'), "
           "json_extract(n.value, '$[2]'), json_extract(n.value, '$[3]'), "
           "json_extract(n.value, '$[4]'), json_extract(n.value, '$[5]'), "
           "json_extract(n.value, '$[6]') FROM kept, json_each(kept.j, '$.node') AS n "
           "ORDER BY n.key";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;

  for (int i = 0; i < mho_min(a.n, NODES_MAX); i++) {
    mho_drawn_node x = {.layer = integer(&a, i, 0),
                        .unit = integer(&a, i, 1),
                        .row = integer(&a, i, 2),
                        .v = mho__answer_number(&a, i, 3),
                        .bias = mho__answer_number(&a, i, 4),
                        .rectifier = mho__answer_number(&a, i, 5),
                        .is_below = integer(&a, i, 6) > 0};
    bool is_known = x.layer >= 0 && x.layer < c->n_layers && x.row >= 0 && x.row < MHO_DRAWN_NODES;
    if (is_known)
      c->node[c->n_nodes++] = x;
  }
  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err read_branches(const mho_page *p, mho_circuit_picture *c, mho_errinfo *ei) {
  static const char sql[] =
      KEPT "SELECT json_extract(b.value, '$[0]'), json_extract(b.value, '$[1]'), "
           "json_extract(b.value, '$[2]'), json_extract(b.value, '$[3]') "
           "FROM kept, json_each(kept.j, '$.branch') AS b ORDER BY b.key";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;

  for (int i = 0; i < mho_min(a.n, BRANCHES_MAX); i++) {
    mho_drawn_branch b = {.from = integer(&a, i, 0),
                          .to = integer(&a, i, 1),
                          .g = mho__answer_number(&a, i, 2),
                          .current = mho__answer_number(&a, i, 3)};
    bool is_known = b.from >= 0 && b.from < c->n_nodes && b.to >= 0 && b.to < c->n_nodes &&
                    c->node[b.from].layer < c->node[b.to].layer;
    if (is_known)
      c->branch[c->n_branches++] = b;
  }
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the section */

static void write_section(mho_page *p, const mho_circuit_picture *c) {
  char caption[2048];
  mho_circuit_drawing d = {c, true};
  mho__circuit_picture_describe(c, caption, sizeof caption);
  fputs("<section class=\"circuit\">\n<h2>Circuit</h2>\n", p->out);
  mho__figure(&p->figures, mho__circuit_plot, &d, mho__circuit_height(c),
              "The network as a circuit with voltages of nodes and currents", caption);
  fputs("<p class=\"note\">All nodes and conductances are in the tables of <code>mho settle "
        "--circuit</code>.</p>\n</section>\n",
        p->out);
}

mho_err mho__page_circuit(mho_page *p, mho_errinfo *ei) {
  mho_circuit_picture c = {0};
  mho_err err = read_head(p, &c, ei);
  if (!err)
    err = read_layers(p, &c, ei);
  if (err || c.n_layers < 2)
    return err;

  c.node = calloc(NODES_MAX, sizeof *c.node);
  c.branch = calloc(BRANCHES_MAX, sizeof *c.branch);
  if (!err && !(c.node && c.branch))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the picture of a circuit");
  if (!err)
    err = read_nodes(p, &c, ei);
  if (!err)
    err = read_branches(p, &c, ei);
  if (!err && !*p->figures.failure)
    write_section(p, &c);

  free(c.node);
  free(c.branch);
  return err;
}
