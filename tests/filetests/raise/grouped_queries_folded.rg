; test raise sites=1
; test check

// Grouped queries as a fifth axis: groups of queries beside one head of keys each.
graph grouped_queries_folded {
  %q0 = input : f32[2, 4, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %q = reshape %q0 { shape = [2, 2, 2, 6, 4] }
  %k5 = reshape %k { shape = [2, 2, 1, 6, 4] }
  %v5 = reshape %v { shape = [2, 2, 1, 6, 4] }
  %kt = transpose %k5 { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %o = matmul %w, %v5
  %y = reshape %o { shape = [2, 4, 6, 4] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
