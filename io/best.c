#include "io/best.h"

bool srq_best_take(srq_best *best, long step, double error, double loss)
{
    const bool better = !best->found || error < best->error || (error == best->error && loss < best->loss);
    if (better)
        *best = (srq_best){.found = true, .step = step, .error = error, .loss = loss};
    else
        best->since++;
    return better;
}

bool srq_best_ends(const srq_best *best, int patience)
{
    return patience > 0 && best->found && best->since >= patience;
}
