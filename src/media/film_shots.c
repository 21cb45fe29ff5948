// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where one shot ends and another begins. A cut is a step in the picture that stands out against
// the motion around it and lasts (a flash comes back to what was before). A fade through black
// parts two shots where the picture returns.
#include "media/film.h"

#include <math.h>
#include <stdlib.h>

#define AROUND        4 // frames on each side
#define MIN_SHOT_MS   240
#define LONG_BLACK_MS 2000
#define FLASH         5 // frames after which a flash has passed

static int64_t grid_distance(const struct media_feature *a, const struct media_feature *b)
{
    int64_t sum = 0;
    for (int i = 0; i < FEATURE_GRID * FEATURE_GRID; i++) {
        sum += abs(a->grid[i] - b->grid[i]);
    }
    return sum * FEATURE_ONE / (FEATURE_GRID * FEATURE_GRID);
}

// Mean of the steps around `at`, which is left out.
static int64_t motion_around(const struct media_film *film, int64_t at)
{
    int64_t sum = 0, n = 0;
    for (int64_t i = MAX(at - AROUND, 1); i <= MIN(at + AROUND, film->count - 1); i++) {
        if (i != at) {
            sum += film->frames[i].difference;
            n++;
        }
    }
    return n ? sum / n : 0;
}

static bool is_flash(const struct media_film *film, int64_t at, int64_t step)
{
    for (int64_t i = at + 1; i < MIN(at + FLASH, film->count); i++) {
        if (grid_distance(&film->frames[at - 1], &film->frames[i]) * 3 < step) {
            return true;
        }
    }
    // and the way back
    for (int64_t i = at - 2; i >= MAX(at - FLASH, 0); i--) {
        if (grid_distance(&film->frames[i], &film->frames[at]) * 3 < step) {
            return true;
        }
    }
    return false;
}

static bool is_cut(const struct media_film *film, int64_t at)
{
    const struct media_feature *f = &film->frames[at];
    if (f->flags & FEATURE_RESIZED) {
        return true;
    }
    int64_t step = grid_distance(&film->frames[at - 1], f);
    int64_t difference = f->difference, around = motion_around(film, at);
    bool stands_out = difference > 8 * FEATURE_ONE && step > 4 * FEATURE_ONE
                          ? difference > 5 * around / 2
                      : difference > 3 * FEATURE_ONE && step > 3 * FEATURE_ONE / 2
                          ? difference > 6 * around
                          : false;
    return stands_out && !is_flash(film, at, step);
}

// A boundary where the picture returns from black, or goes into a long one.
static bool is_fade(const struct media_film *film, int64_t at)
{
    bool black = film_is_black(&film->frames[at]);
    if (black == film_is_black(&film->frames[at - 1])) {
        return false;
    }
    if (!black) {
        return true;
    }
    int64_t end = at;
    while (end < film->count && film_is_black(&film->frames[end])) {
        end++;
    }
    return film_ms_of(film, at, end) >= LONG_BLACK_MS;
}

int film_detect_shots(const struct media_film *film, struct media_report *ret)
{
    const int64_t least = film_frames_in_ms(film, MIN_SHOT_MS);
    int64_t start = 0;
    for (int64_t i = 1; i < film->count; i++) {
        if (i - start >= least && film->count - i >= MIN(least, 2) &&
            (is_cut(film, i) || is_fade(film, i))) {
            TRY(vec_push(&ret->shots, (struct media_shot){start, i}));
            start = i;
        }
    }
    return film->count ? vec_push(&ret->shots, (struct media_shot){start, film->count})
                       : 0;
}

// --- the poster -----------------------------------------------------------------------------------

static double contrast(const struct media_feature *f)
{
    double sum = 0, squares = 0, n = FEATURE_GRID * FEATURE_GRID;
    for (int i = 0; i < FEATURE_GRID * FEATURE_GRID; i++) {
        sum += f->grid[i];
        squares += (double)f->grid[i] * f->grid[i];
    }
    return sqrt(MAX(squares / n - sum / n * (sum / n), 0));
}

static double appeal(const struct media_film *film, int64_t i)
{
    const struct media_feature *f = &film->frames[i];
    double mean = (double)f->mean / FEATURE_ONE,
           sharp = (double)(f->comb_top + f->comb_bottom) / (2 * FEATURE_ONE);
    double bright = mean < 60 ? mean / 60 : mean > 180 ? MAX(255 - mean, 0) / 75 : 1;
    double steady = 4 * FEATURE_ONE / (double)(4 * FEATURE_ONE + f->difference);
    if (i + 1 < film->count) {
        steady *=
            4 * FEATURE_ONE / (double)(4 * FEATURE_ONE + film->frames[i + 1].difference);
    }
    return bright * steady * (1 + MIN(sharp, 12)) * (10 + contrast(f));
}

int64_t film_choose_poster(const struct media_film *film)
{
    int64_t margin = film->count / 10, best = film->count / 2;
    double most = -1;
    for (int64_t i = margin; i < film->count - margin; i++) {
        double a = appeal(film, i);
        if (a > most) {
            most = a;
            best = i;
        }
    }
    return best;
}
