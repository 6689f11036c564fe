; test raise sites=1
; test check

// The keys' heads are exchanged.
graph keys_of_other_heads {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %k1 = roll %k { axis = 1, shift = 1 }
  %kt = transpose %k1 { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
