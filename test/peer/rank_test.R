# SPDX-License-Identifier: GPL-3.0-or-later
# What R says of each column of two files: Rscript rank_test.R BASELINE CANARY CONFIDENCE -> a line a column.
args <- commandArgs(trailingOnly = TRUE)
baseline <- read.csv(args[1], check.names = FALSE)
canary <- read.csv(args[2], check.names = FALSE)
options(digits = 17)
for (name in names(baseline)) {
  x <- canary[[name]]; x <- x[is.finite(x)]
  y <- baseline[[name]]; y <- y[is.finite(y)]
  t <- suppressWarnings(wilcox.test(x, y, conf.int = TRUE, conf.level = as.numeric(args[3])))
  cat(name, format(c(t$statistic, t$p.value, t$estimate, t$conf.int[1], t$conf.int[2]), digits = 17), "\n")
}
