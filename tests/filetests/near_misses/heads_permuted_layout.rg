; test raise sites=1
; test check

// Heads split as [d, h] for queries and [h, d] for keys.
graph heads_permuted_layout {
  %q0 = input : f32[2, 6, 8]
  %k0 = input : f32[2, 6, 8]
  %v0 = input : f32[2, 6, 8]
  %q1 = reshape %q0 { shape = [2, 6, 4, 2] }
  %q = transpose %q1 { order = [-4, -1, -3, -2] }
  %k1 = reshape %k0 { shape = [2, 6, 2, 4] }
  %k = transpose %k1 { order = [-4, -2, -3, -1] }
  %v1 = reshape %v0 { shape = [2, 6, 2, 4] }
  %v = transpose %v1 { order = [-4, -2, -3, -1] }
  %kt = transpose %k { order = [-1, -2] }
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
