/* energy_table.c - what training would take on hardware, term by term.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/html.h"
#include "report/page.h"

static void write_term(const mho_page *p, const mho_report_energy *e, double all) {
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX], c[MHO_NUMBER_MAX];
  mho__html_row(p->out, "%s", e->term);
  mho__html_number(p->out, "%s", mho__si(e->joule, "J", a));
  mho__html_number(p->out, "%s", mho__percent(all > 0 ? e->joule / all : 0, a));
  mho__html_number(p->out, "%s", mho__si(e->joule / e->samples, "J", b));
  mho__html_number(p->out, "%s", e->seconds > 0 ? mho__si(e->seconds / e->samples, "s", c) : "");
  mho__html_number(p->out, "%s", mho__count(e->count, a));
  fputs("</tr>\n", p->out);
}

void mho__page_energy(const mho_page *p) {
  const mho_report_data *d = &p->d;
  double joule = 0, seconds = 0;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];
  if (d->n_energy == 0)
    return;

  for (int i = 0; i < d->n_energy; i++) {
    joule += d->energy[i].joule;
    seconds += d->energy[i].seconds;
  }

  fputs("<section>\n<h2>Energy and time on hardware</h2>\n<p class=\"note\">", p->out);
  mho__html_printf(
      p->out,
      "All epochs of training, one sample after another: %s and %s a sample, by the model and the "
      "numbers of the config's section energy. Terms without a time go on beside the others.",
      mho__si(joule / d->energy[0].samples, "J", a),
      mho__si(seconds / d->energy[0].samples, "s", b));
  fputs("</p>\n", p->out);

  mho__html_table_begin(p->out, NULL, "Energy by term",
                        "term|#energy|#share|#a sample|#time a sample|#count");
  fputs("<tbody>\n", p->out);
  for (int i = 0; i < d->n_energy; i++)
    write_term(p, &d->energy[i], joule);
  fputs("</tbody>\n", p->out);
  mho__html_table_end(p->out);
  fputs("</section>\n", p->out);
}
