; test raise sites=1
; test check

// The index comes from outside: nothing can be gathered before the run.
graph gather_that_depends_on_input {
  %q = input : f32[2, 4, 4]
  %k = input : f32[2, 4, 4]
  %v = input : f32[2, 4, 4]
  %table = weight : f32[4]
  %index = input : i32[4, 4]
  %rows = gather %table, %index
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %b = add %u, %rows
  %w = softmax %b { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
