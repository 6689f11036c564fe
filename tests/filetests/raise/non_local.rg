; test raise sites=1
; test check

// Non-local block on a map with channels first: theta and g transposed to rows.
graph non_local {
  %x = input : f32[2, 8, 9]
  %theta_weight = weight : f32[4, 8]
  %phi_weight = weight : f32[4, 8]
  %g_weight = weight : f32[4, 8]
  %theta = matmul %theta_weight, %x
  %phi = matmul %phi_weight, %x
  %g = matmul %g_weight, %x
  %rows = transpose %theta { order = [-1, -2] }
  %f = matmul %rows, %phi
  %w = softmax %f { axis = -1 }
  %values = transpose %g { order = [-1, -2] }
  %o = matmul %w, %values
  %ot = transpose %o { order = [-1, -2] }
  %back_weight = weight : f32[8, 4]
  %back = matmul %back_weight, %ot
  %y = add %back, %x
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
