; test check

// The scale reaches the weights of the queries.
graph bf16_heads {
  %x = input : bf16[1, 49, 64]
  %wq = weight : bf16[64, 64]
  %wk = weight : bf16[64, 64]
  %wv = weight : bf16[64, 64]
  %q0 = matmul %x, %wq
  %q1 = reshape %q0 { shape = [1, 49, 2, 32] }
  %q = transpose %q1 { order = [-4, -2, -3, -1] }
  %k0 = matmul %x, %wk
  %k1 = reshape %k0 { shape = [1, 49, 2, 32] }
  %k = transpose %k1 { order = [-4, -2, -3, -1] }
  %v0 = matmul %x, %wv
  %v1 = reshape %v0 { shape = [1, 49, 2, 32] }
  %v = transpose %v1 { order = [-4, -2, -3, -1] }
  %y = attention %q, %k, %v { scale = 0.17677669529663687 }
  return %y
}

; expect check
;   %y within 1e-5 of the reference
