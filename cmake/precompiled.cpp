// Gives the target that owns the precompiled headers something to compile.
