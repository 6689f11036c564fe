; test raise sites=1
; test check

// Multi-query attention: all heads read one head of keys and values, by broadcasting.
graph multi_query {
  %q = input : f32[2, 3, 6, 4]
  %k = input : f32[2, 1, 6, 4]
  %v = input : f32[2, 1, 6, 4]
  %q_scaled = mul %q, 0.5
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q_scaled, %kt
  %w = softmax %s { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
