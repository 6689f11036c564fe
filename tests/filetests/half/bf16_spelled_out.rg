; test raise sites=1
; test check

// Scores, softmax and values in bf16, by hand.
graph bf16_spelled_out {
  %q = input : bf16[2, 6, 8]
  %k = input : bf16[2, 6, 8]
  %v = input : bf16[2, 6, 8]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.35355339059327373
  %half = cast %scaled { to = bf16 }
  %w = softmax %half { axis = -1 }
  %y = matmul %w, %v
  %z = cast %y { to = bf16 }
  return %z
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %z within 1e-5 of the reference
