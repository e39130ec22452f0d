"""The paper: ψ, ν, the diffusion's loss and the features; needs the base installation only."""
