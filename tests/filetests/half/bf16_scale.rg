; test check

// The weights times 0.17677669529663687 are no bf16.
graph bf16_scale {
  %x = input : bf16[4, 64]
  %w = weight : bf16[64, 32]
  %m = matmul %x, %w
  %y = mul %m, 0.17677669529663687
  return %y
}

; expect check
;   %y within 1e-5 of the reference
