"""What is trained on: where patches come from, what is held out, and the grey levels.

Whatever chance decides follows from the seed and a number (`numpy.random.SeedSequence` with spawn
keys): 0 the place of a patch by pass, index and attempt; 1 the visits of a pass; 2 the patches of
a part by pass; 3 those of a window; 4 the patches for validation; 5 how a patch is turned; 6 the
order of those for validation.
"""
